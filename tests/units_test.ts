// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Units fit their programs. One that calls qrexec may open Xen's devices; one that listens is ready
 * when it listens. Who does is not written down here. Who calls is who may start one of qrexec's
 * clients by its permissions, or names one in its code, or starts a program of ours that
 * does; who listens has it in its code.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { programOf } from "../shared/packaging/programs.ts";
import { PROJECT } from "./e2e/program_flags.ts";

/**
 * What libxenvchan opens through libxenevtchn, libxengnttab, libxencall and libxenstore. Only the
 * absence of "hypercall" is borne by libxencall, not that it may not be opened.
 */
const XEN_DEVICES = ["evtchn", "gntalloc", "gntdev", "hypercall", "privcmd", "xenbus"];
const CALLER = /^qrexec-client(-vm)?$/;

/** Unit -> the source of its program; null: no program of ours, so that nothing is known of it. */
const UNITS = ["dom0/systemd", "vm/systemd", "vm/systemd/user"].flatMap((folder) =>
  [...Deno.readDirSync(`${PROJECT}/${folder}`)].filter(({ name }) => name.endsWith(".service"))
    .map(({ name }) => {
      const text = Deno.readTextFileSync(`${PROJECT}/${folder}/${name}`);
      const program = /^ExecStart=\/\S+\/(\S+)/m.exec(text)?.[1] ?? "";
      const source = `${folder.slice(0, folder.indexOf("/"))}/${program}.ts`;
      return { unit: `${folder}/${name}`, text, source: exists(source) ? source : null };
    })
);

function exists(path: string): boolean {
  try {
    return Deno.statSync(`${PROJECT}/${path}`).isFile;
  } catch {
    return false;
  }
}

/** The texts of a program's modules, without comments. */
function modulesOf(source: string, seen = new Map<string, string>()): ReadonlyMap<string, string> {
  if (seen.has(source)) return seen;
  const code = Deno.readTextFileSync(`${PROJECT}/${source}`)
    .replace(/^\s*(\/\/|\/?\*).*$/gm, "");
  seen.set(source, code);
  for (const [, specifier = ""] of code.matchAll(/\bfrom\s+"(\.[^"]+)"/g)) {
    modulesOf(new URL(specifier, new URL(source, "file:///")).pathname.slice(1), seen);
  }
  return seen;
}

/** The programs that it may start, where they are named; `all`: it may start no others. */
function startedBy(source: string): { readonly named: readonly string[]; readonly all: boolean } {
  const side = source.startsWith("dom0/") ? "dom0" : "vm";
  const name = source.slice(source.indexOf("/") + 1, -".ts".length);
  const { run = [], configured = false } = programOf(side, name).permissions;
  return { named: run === "any" ? [] : run, all: run !== "any" && !configured };
}

function callsQrexec(source: string): boolean {
  const { named: started, all } = startedBy(source);
  if (started.some((program) => CALLER.test(program))) return true;
  // A name in the code counts only where Deno would not refuse to start it.
  const isNamed = (): boolean =>
    [...modulesOf(source).values()].some((code) => /["`]qrexec-client\b/.test(code));
  if (!all && isNamed()) return true;
  const folder = source.slice(0, source.indexOf("/"));
  return started.map((program) => `${folder}/${program}.ts`).filter(exists).some(callsQrexec);
}

/** Xen's devices that systemd lets the unit open. */
function openedBy(unit: string): readonly string[] {
  const values = (name: string): readonly string[] =>
    [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);
  if (values("PrivateDevices").at(-1) === "yes") return [];
  const allowed = values("DeviceAllow");
  const policy = values("DevicePolicy").at(-1) ?? "auto";
  if (policy === "auto" && allowed.length === 0) return XEN_DEVICES;
  return XEN_DEVICES.filter((device) => allowed.includes(`/dev/xen/${device} rw`));
}

Deno.test("who calls qrexec is found in the code: by permission, by name, and through another", () => {
  const callers = ["dom0/qvm-remote-dom0.ts", "dom0/openclaw-tunnel.ts", "vm/openclaw-tunnel.ts"];
  callers.push("vm/openclaw-watchdog.ts", "vm/openclaw-proxy.ts", "vm/openclaw-connect.ts");
  assertEquals(callers.filter((source) => !callsQrexec(source)), []);
  const others = ["vm/qvm-remote.ts", "vm/openclaw.Mux.ts", "vm/openclaw-wait-ready.ts"];
  assertEquals(others.filter(callsQrexec), []);
});

Deno.test("what a unit lets be opened is read as systemd reads it", () => {
  const of = (...lines: string[]): string => openedBy(lines.join("\n")).join(" ");
  assertEquals(of("[Service]"), XEN_DEVICES.join(" "));
  assertEquals(of("DevicePolicy=closed"), "");
  assertEquals(of("DeviceAllow=/dev/xen/evtchn rw"), "evtchn");
  assertEquals(of("DeviceAllow=/dev/xen/evtchn r", "DevicePolicy=closed"), "");
  assertEquals(of("PrivateDevices=yes", "DeviceAllow=/dev/xen/evtchn rw"), "");
});

Deno.test("there are units of dom0, of a VM, and of its user", () => {
  assert(UNITS.length >= 13, `only ${UNITS.length}`);
});

/** What starts nothing but these. */
const HARMLESS: ReadonlySet<string> = new Set(["/usr/bin/rm", "/usr/bin/systemctl"]);

/** A script of dom0's own starts the tools that stand in it; the gateway's, an agent that starts any. */
function scriptCallsNothing(text: string): boolean {
  const started = [...text.matchAll(/^ExecStart=(\S+)/gm)].map(([, path = ""]) => path);
  if (started.every((path) => HARMLESS.has(path))) return true;
  const path = /^ExecStart=\/usr\/lib\/qubes-claw\/(\S+)$/m.exec(text)?.[1];
  if (path === undefined || !exists(`dom0/packaging/${path}`)) return false;
  return !/qrexec|qvm-/.test(
    Deno.readTextFileSync(`${PROJECT}/dom0/packaging/${path}`).replace(
      /qvm-remote-dom0\.service/g,
      "",
    ),
  );
}

for (const { unit, text, source } of UNITS) {
  const calls = source === null ? !scriptCallsNothing(text) : callsQrexec(source);
  Deno.test(`${unit} may open ${calls ? "Xen's devices: it calls qrexec" : "no device of Xen"}`, () => {
    assertEquals(openedBy(text), calls ? XEN_DEVICES : []);
    if (!calls || !/^DynamicUser=yes$/m.test(text)) return;
    assert(/^SupplementaryGroups=qubes$/m.test(text), "the devices are the group's");
  });
}

const LISTENS = /\bDeno\.(listen|serve)\(/;

for (const { unit, text, source } of UNITS) {
  if (source === null) continue;
  if (![...modulesOf(source).values()].some((code) => LISTENS.test(code))) continue;
  Deno.test(`${unit} is active when its program listens`, () => {
    assert(/^Type=notify$/m.test(text), "Type=exec is active when it is started");
    assert(/^NotifyAccess=all$/m.test(text), "systemd-notify(1) is a child of the program");
  });
}

Deno.test("proxy and tunnels are known to listen", () => {
  for (
    const source of ["vm/openclaw-proxy.ts", "vm/openclaw-tunnel.ts", "dom0/openclaw-tunnel.ts"]
  ) {
    assert([...modulesOf(source).values()].some((code) => LISTENS.test(code)), source);
  }
});
