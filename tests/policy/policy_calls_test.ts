// SPDX-License-Identifier: GPL-2.0-or-later
/** The policy files of this project against the table of calls, and against what they promise. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  decideCallOf,
  filesOfSet,
  type Loaded,
  loadSet,
  type PolicySet,
  PROJECT,
  readTable,
  written,
} from "./call_table.ts";
import { decide } from "../../dom0/qrexec_policy/decide.ts";
import { NotSupported } from "../../dom0/qrexec_policy/policy_error.ts";

const { system, sets, calls } = readTable();
const OURS = [
  ...["30-openclaw-inter-vm.policy", "30-qvm-remote.policy"] as const,
  ...["40-openclaw-keys.policy", "50-openclaw.policy"] as const,
] as const;
const LOADED: ReadonlyMap<string, Loaded> = new Map(
  Object.entries(sets).map(([name, set]) => [name, loadSet(filesOfSet(set))]),
);

function loaded(set: string): Loaded {
  const found = LOADED.get(set);
  assert(found !== undefined, `no set "${set}"`);
  return found;
}

assert(calls.length >= 370, "policy_calls.json has lost calls");
assert(Object.keys(sets).length >= 36, "policy_calls.json has lost sets");

for (const group of new Set(calls.map((call) => call.group))) {
  Deno.test(`policy: ${group}`, () => {
    for (const call of calls.filter((call) => call.group === group)) {
      const got = written(decideCallOf(loaded(call.set), system, call));
      assertEquals(got, call.expect, JSON.stringify(call));
    }
  });
}

Deno.test("no call stands twice in the table, and every set is asked", () => {
  const keys = calls.map(({ set, source, target, service }) => [set, source, target, service]);
  assertEquals(new Set(keys.map(String)).size, calls.length);
  assertEquals(new Set(calls.map(({ set }) => set)), new Set(Object.keys(sets)));
});

Deno.test("a mistake in one file refuses every call, and nothing else does", () => {
  for (const [name, { refusesAll }] of Object.entries(sets)) {
    assertEquals("refused" in loaded(name), refusesAll ?? false, name);
  }
});

Deno.test("every line of the policy files says above what it grants", () => {
  for (const { name, lines } of OURS.map(readPolicy)) {
    for (const [i, line] of lines.entries()) {
      if (isRule(line)) assert(/^# \S/.test(lines[i - 1] ?? ""), `${name}:${i + 1}`);
    }
  }
});

Deno.test("each line of the policy files matters: without it a call of the table goes otherwise", () => {
  let removed = 0;
  for (const { name, lines } of OURS.map(readPolicy)) {
    for (const [i, line] of lines.entries()) {
      if (!isRule(line)) continue;
      const others = lines.toSpliced(i, 1);
      assert(changesAVerdict(name, others), `${name}:${i + 1} is not needed: ${line}`);
      removed++;
    }
  }
  assertEquals(removed, 34);
});

const has = (vm: string, tag: string): boolean => system.domains[vm]?.tags.includes(tag) ?? false;

/** The files promise it in words; this says it once more, without policy language. */
function maySpeak(source: string, target: string, service: string, mode: string): boolean {
  const [, port] = /^(?:qubes\.ConnectTCP|openclaw\.Mux)\+(32125|18789)$/.exec(service) ?? [];
  if (port === undefined || source === target) return false;
  const isProxy = port === "32125";
  const isNone = target === "@default" || target === "nosuch" || target === "";
  if (isNone) return mode === "keys" && isProxy && has(source, "openclaw-server");
  if (system.domains[target]?.power_state !== "Running") return false;
  if (source === "dom0") return has(target, "openclaw-server");
  if (has(source, "openclaw-keys")) return false;
  if (has(target, "openclaw-keys")) return isProxy && has(source, "openclaw-server");
  if (has(target, "openclaw-keyless") && isProxy) return false;
  const isCaller = has(source, "openclaw-client") || has(source, "openclaw-admin");
  return isCaller && has(target, "openclaw-server");
}

Deno.test("only what is listed is reachable: ports, VMs, tags and modes", () => {
  const vms = Object.keys(system.domains);
  const targets = [...vms, "@adminvm", "@default", "@dispvm", "@dispvm:agent-dvm", "nosuch", ""];
  const ports = [22, 80, 443, 3212, 9876, 11434, 18788, 18789, 32124, 32125, 32126, 65535];
  const services = ["qubes.ConnectTCP", "openclaw.Mux"]
    .flatMap((name) => [name, `${name}+`, ...ports.map((port) => `${name}+${port}`)]);
  const modes = ["ours", "inter-vm", "bare", "inter-vm-bare", "keys"];
  let allowed = 0;
  for (const mode of modes) {
    const rules = rulesOf(mode);
    for (const source of vms) {
      for (const target of targets) {
        for (const service of services) {
          const { verdict } = decide(rules, system, { source, target, service });
          const wanted = maySpeak(source, target, service, mode) ? "allow" : "deny";
          assertEquals(verdict, wanted, `${mode}: ${source} -> ${target} ${service}`);
          if (verdict === "allow") allowed++;
        }
      }
    }
  }
  // 3 agent VMs that run, 8 callers of which one does not call itself, 4 services; the gateway of
  // one whose proxy is in a key qube, and all of it, and of a VM tagged as both, from dom0; the
  // proxies of 3 key qubes, from 7 agent VMs.
  const calls = (3 * 8 - 1) * 4 + 7 * 2 + 2 * 4 + 3 * 7 * 2;
  // 8 VMs are tagged as agents; three ways to name none.
  assertEquals(allowed, calls * modes.length + 8 * 3 * 2);
});

Deno.test("no VM reaches qvmremote.Queue, whatever a later file allows", () => {
  const targets = [...Object.keys(system.domains), "@adminvm", "@default", "@dispvm", "nosuch"];
  for (const mode of ["ours", "inter-vm", "bare", "user-before", "user-after"]) {
    for (const source of Object.keys(system.domains).filter((name) => name !== "dom0")) {
      for (const target of targets) {
        for (const service of ["qvmremote.Queue", "qvmremote.Queue+key"]) {
          const { verdict } = decide(rulesOf(mode), system, { source, target, service });
          assertEquals(verdict, "deny", `${mode}: ${source} -> ${target} ${service}`);
        }
      }
    }
  }
});

Deno.test("where the evaluator cannot follow the engine it says so, and guesses nothing", () => {
  const rules = rulesOf("user-after");
  const agent = system.domains["agent"];
  assert(agent !== undefined);
  const remote = { domains: { ...system.domains, far: { ...agent, type: "RemoteVM" } } };
  const call = { source: "work", target: "far", service: "user.Service" };
  assertThrows(() => decide(rules, remote, call), NotSupported, "RemoteVM");
  for (const source of ["@dispvm", `uuid:${agent.uuid}`]) {
    assertThrows(() => decide(rules, system, { ...call, source }), NotSupported, "no name");
  }
});

function rulesOf(set: string) {
  const found = loaded(set);
  assert("rules" in found, set);
  return found.rules;
}

/** True if some call comes out otherwise when `lines` stand in the file. */
function changesAVerdict(name: string, lines: readonly string[]): boolean {
  return Object.entries(sets).some(([setName, set]) => {
    const files = Object.entries(set.files).map(([path, content]) =>
      [path, content === `policies/${name}` ? lines : content] as const
    );
    const changed: PolicySet = { ...set, files: Object.fromEntries(files) };
    if (set.refusesAll || !Object.values(set.files).includes(`policies/${name}`)) return false;
    const rules = loadSet(filesOfSet(changed));
    return calls.some((call) =>
      call.set === setName && written(decideCallOf(rules, system, call)) !== call.expect
    );
  });
}

function readPolicy(name: string): { readonly name: string; readonly lines: readonly string[] } {
  return { name, lines: Deno.readTextFileSync(`${PROJECT}/policies/${name}`).split("\n") };
}

function isRule(line: string): boolean {
  return line !== "" && !line.startsWith("#");
}
