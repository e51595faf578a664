// SPDX-License-Identifier: GPL-2.0-or-later
/** Manual pages and completions name what the programs take: every command, every option. @module */

import { assert, assertEquals } from "@std/assert";
import {
  AUTHORIZE_OPTIONS,
  CONNECT_OPTIONS as CONNECT_OPTIONS_DOM0,
} from "../dom0/cli/commands/authorize.ts";
import { COMMANDS, DAEMON_OPTIONS, HELP as DOM0_HELP } from "../dom0/cli/command_table.ts";
import { HELP as SETUP_HELP } from "../dom0/setup/help.ts";
import { SETUP_OPTIONS } from "../dom0/setup/request.ts";
import { RUN_OPTIONS, SUB_COMMANDS } from "../vm/remote/commands/cli_table.ts";
import { CONNECT_OPTIONS } from "../vm/connect/cli.ts";
import { HELP as SETUP_VM_HELP } from "../vm/setup/help.ts";
import { SETUP_VM_OPTIONS } from "../vm/setup/request.ts";
import { PROVIDERS } from "../vm/settings/vm_settings.ts";
import { CTL_COMMANDS, CTL_HELP, CTL_OPTIONS } from "../vm/ctl/cli_table.ts";
import { FINDING_IDS } from "../vm/ctl/doctor/finding.ts";
import { COMMANDS as PROXY_COMMANDS } from "../vm/proxy/cli.ts";
import { parseConfig } from "../vm/proxy/config/parse_config.ts";
import { PORTS_COMMANDS, PORTS_OPTIONS } from "../vm/ports/cli.ts";
import { VERSION } from "../shared/io/version.ts";
import { WATCHDOG_HELP, WATCHDOG_OPTIONS } from "../vm/watchdog/cli.ts";
import { DEFAULT_WATCH } from "../vm/watchdog/settings.ts";
import {
  CHECK_OPTIONS,
  STATUS_OPTIONS,
  TUNNEL_COMMANDS,
  TUNNEL_HELP,
  TUNNEL_OPTIONS,
} from "../shared/tunnel/cli_table.ts";
import { FAILURE_TEXT } from "../shared/tunnel/failure.ts";
import { packagingFiles } from "../shared/packaging/write-packaging.ts";

/** Pages and completions as the build makes them. */
const MADE = packagingFiles("build", "/usr/bin/deno");

const VM_PAGE = manual("qvm-remote.1");
const DOM0_PAGE = manual("qvm-remote-dom0.8");

Deno.test("qvm-remote(1) has every option and sub-command, and the version", () => {
  const text = plain(VM_PAGE);
  const missing = [
    ...Object.keys(RUN_OPTIONS).map((name) => `--${name}`),
    ...SUB_COMMANDS.map(({ path }) => path),
    `qubes-claw ${VERSION}`,
  ].filter((word) => !text.includes(word));
  assertEquals(missing, []);
});

Deno.test("qvm-remote-dom0(8) has every option and command, and the version", () => {
  const text = plain(DOM0_PAGE);
  const missing = [
    ...Object.keys(DAEMON_OPTIONS).filter((name) => name !== "help" && name !== "version")
      .map((name) => `--${name}`),
    ...COMMANDS.keys(),
    `qubes-claw ${VERSION}`,
  ].filter((word) => !text.includes(word));
  assertEquals(missing, []);
});

Deno.test("authorize and connect: each option is in the help, the manual and the completion", async () => {
  const page = plain(DOM0_PAGE);
  for (
    const [name, table] of [["authorize", AUTHORIZE_OPTIONS], ["connect", CONNECT_OPTIONS_DOM0]]
  ) {
    const options = optionsOf(table as object);
    const help = new RegExp(`^  ${name} .*$`, "m").exec(DOM0_HELP)?.[0] ?? "";
    assertEquals(options.filter((option) => !help.includes(option)), [], "--help");
    const from = page.indexOf(`\n${name} [`);
    const section = page.slice(from, page.indexOf("\n", from + 1));
    assertEquals(options.filter((option) => !section.includes(option)), [], section);
    const file = "qvm-remote-dom0";
    const words = await complete(file, "_qvm_remote_dom0", ["qvm-remote-dom0", `${name}`, ""]);
    assertEquals(options.filter((option) => !words.includes(option)), [], "completion");
  }
});

const optionsOf = (...tables: readonly object[]): readonly string[] =>
  tables.flatMap((table) => Object.keys(table)).map((name) => `--${name}`);

Deno.test("openclaw-ports(8) and openclaw-connect(1) have every command and option", () => {
  const pages: readonly (readonly [name: string, words: readonly string[]])[] = [
    ["openclaw-ports.8", [...PORTS_COMMANDS, ...optionsOf(PORTS_OPTIONS)]],
    ["openclaw-connect.1", optionsOf(CONNECT_OPTIONS)],
  ];
  for (const [name, words] of pages) {
    const text = plain(manual(name));
    const missing = [...words, `qubes-claw ${VERSION}`].filter((word) => !text.includes(word));
    assertEquals(missing, [], name);
  }
});

Deno.test("the completions of openclaw-ports and openclaw-connect offer the same", async () => {
  const ports = (...words: readonly string[]): Promise<readonly string[]> =>
    complete("openclaw-ports", "_openclaw_ports", [
      ...["openclaw-ports", ...words, ""],
    ]);
  const offered = (await Promise.all([ports(), ...PORTS_COMMANDS.map((name) => ports(name))]))
    .flat();
  const wanted = [...PORTS_COMMANDS, ...optionsOf(PORTS_OPTIONS)];
  assertEquals(wanted.filter((word) => !offered.includes(word)), []);
  const file = "openclaw-connect";
  const connect = await complete(file, "_openclaw_connect", ["openclaw-connect", ""]);
  assertEquals(optionsOf(CONNECT_OPTIONS).filter((word) => !connect.includes(word)), []);
});

Deno.test("openclaw-ctl: page, help and completion have every command, option and finding", async () => {
  const page = plain(manual("openclaw-ctl.1"));
  const options = optionsOf(CTL_OPTIONS, ...[...CTL_COMMANDS.values()].map((one) => one.options));
  const words = [...CTL_COMMANDS.keys(), ...options];
  const missing = [...words, ...FINDING_IDS, `qubes-claw ${VERSION}`]
    .filter((word) => !page.includes(word));
  assertEquals(missing, []);
  assertEquals(words.filter((word) => !CTL_HELP.includes(word) && word !== "--ask"), []);
  const file = "openclaw-ctl";
  const offered = (...before: string[]) =>
    complete(file, "_openclaw_ctl", ["openclaw-ctl", ...before, ""]);
  const first = await offered();
  assertEquals([...CTL_COMMANDS.keys()].filter((word) => !first.includes(word)), []);
  for (const [name, { options }] of CTL_COMMANDS) {
    const there = await offered(name);
    assertEquals(optionsOf(options).filter((word) => !there.includes(word)), [], name);
  }
  assertEquals(await offered("usage", "--days"), []);
});

Deno.test("openclaw-watchdog: page, help and completion have every option and setting", async () => {
  const words = [...optionsOf(WATCHDOG_OPTIONS), ...Object.keys(DEFAULT_WATCH)];
  const page = plain(manual("openclaw-watchdog.8"));
  assertEquals([...words, `qubes-claw ${VERSION}`].filter((word) => !page.includes(word)), []);
  const inHelp = words.filter((word) => word !== "--version");
  assertEquals(inHelp.filter((word) => !WATCHDOG_HELP.includes(word)), []);
  const file = "openclaw-watchdog";
  const offered = await complete(file, "_openclaw_watchdog", ["openclaw-watchdog", ""]);
  assertEquals(offered.toSorted(), optionsOf(WATCHDOG_OPTIONS).toSorted());
});

Deno.test("openclaw-proxy: page and completion have every command and setting", async () => {
  const zzz = { zzz: 1 };
  const one = { kind: "cursor", zzz: 1, cursor: zzz };
  const problems = parseConfig({
    ...{ providers: { one }, timing: zzz, breaker: zzz, limits: zzz, clients: { one: zzz } },
    ...{ prices: { "a/b": { input: 1, output: 1, zzz: 1 } }, zzz: 1 },
  });
  assert(!("providers" in problems));
  const settings = problems.flatMap(({ fix }) =>
    /^remove it; here there are: (.*)/.exec(fix)?.[1]?.split(", ") ?? []
  );
  assert(settings.length > 40, `${settings.length} settings found`);
  const page = plain(manual("openclaw-proxy.1"));
  const words = [...PROXY_COMMANDS, ...settings, `qubes-claw ${VERSION}`];
  assertEquals(words.filter((word) => !page.includes(word)), []);
  const file = "openclaw-proxy";
  const offered = await complete(file, "_openclaw_proxy", ["openclaw-proxy", ""]);
  assertEquals(offered.toSorted(), ["--help", "--version", ...PROXY_COMMANDS].toSorted());
});

Deno.test("the completion of qvm-remote offers every sub-command and option", async () => {
  const file = "qvm-remote";
  const first = await complete(file, "_qvm_remote", ["qvm-remote", ""]);
  const tops = new Set(SUB_COMMANDS.map(({ path }) => path.split(" ")[0] ?? ""));
  const wanted = [...tops, ...Object.keys(RUN_OPTIONS).map((name) => `--${name}`)];
  assertEquals(wanted.filter((word) => !first.includes(word)), []);
  for (const { path, options } of SUB_COMMANDS) {
    const words = path.split(" ");
    const offered = await complete(file, "_qvm_remote", ["qvm-remote", ...words, ""]);
    const names = Object.keys(options).map((name) => `--${name}`);
    if (path !== "queue") assertEquals(names.filter((name) => !offered.includes(name)), [], path);
    const [top = "", second] = words;
    if (second === undefined) continue;
    assert((await complete(file, "_qvm_remote", ["qvm-remote", top, ""])).includes(second), path);
  }
  assertEquals(await complete(file, "_qvm_remote", ["qvm-remote", "--", ""]), []);
});

Deno.test("the completion of qvm-remote-dom0 offers every command and option", async () => {
  const file = "qvm-remote-dom0";
  const first = await complete(file, "_qvm_remote_dom0", ["qvm-remote-dom0", ""]);
  const wanted = [...COMMANDS.keys(), ...Object.keys(DAEMON_OPTIONS).map((name) => `--${name}`)];
  assertEquals(wanted.filter((word) => !first.includes(word)), []);
  const authorize = await complete(file, "_qvm_remote_dom0", ["qvm-remote-dom0", "authorize", ""]);
  for (const word of ["--fetch", "--grant", "--accept-v1", "work"]) {
    assert(authorize.includes(word), word);
  }
  assert(!authorize.includes("dom0"), "dom0 is no VM");
});

Deno.test("setup-dom0: page, help and completion have every option", async () => {
  const names = Object.keys(SETUP_OPTIONS).map((name) => `--${name}`);
  const page = plain(manual("setup-dom0.8"));
  assertEquals([...names, `qubes-claw ${VERSION}`].filter((word) => !page.includes(word)), []);
  assertEquals(names.filter((word) => !SETUP_HELP.includes(word)), []);
  const file = "setup-dom0";
  const first = await complete(file, "_setup_dom0", ["setup-dom0", ""]);
  assertEquals([...names, "work"].filter((word) => !first.includes(word)), []);
  const words = ["setup-dom0", "--label", "red", "work", "t", "none", "10.0.0.1", "tun"];
  assertEquals(await complete(file, "_setup_dom0", words), ["tunnel"]);
});

Deno.test("setup-vm: page, help and completion have every option and provider", async () => {
  const names = [...optionsOf(SETUP_VM_OPTIONS), ...PROVIDERS];
  const page = plain(manual("setup-vm.1"));
  assertEquals([...names, `qubes-claw ${VERSION}`].filter((word) => !page.includes(word)), []);
  assertEquals(names.filter((word) => !SETUP_VM_HELP.includes(word)), []);
  const file = "setup-vm";
  const first = await complete(file, "_setup_vm", ["setup-vm", ""]);
  assertEquals(names.filter((word) => !first.includes(word)), []);
  assertEquals(await complete(file, "_setup_vm", ["setup-vm", "multi", "--us"]), ["--user-units"]);
  assertEquals(await complete(file, "_setup_vm", ["setup-vm", "multi", "cur"]), []);
});

Deno.test("openclaw-tunnel(8) and --help have every option, command and failure", () => {
  const text = plain(manual("openclaw-tunnel.8"));
  const words = [
    ...optionsOf(TUNNEL_OPTIONS, STATUS_OPTIONS, CHECK_OPTIONS),
    ...TUNNEL_COMMANDS,
  ];
  const all = [...words, ...Object.keys(FAILURE_TEXT), `qubes-claw ${VERSION}`];
  assertEquals(all.filter((word) => !text.includes(word)), []);
  assertEquals(words.filter((word) => !TUNNEL_HELP.includes(word)), []);
});

Deno.test("the completion of openclaw-tunnel offers every option and command", async () => {
  const file = "openclaw-tunnel";
  const offered = (...words: string[]) =>
    complete(file, "_openclaw_tunnel", ["openclaw-tunnel", ...words, ""]);
  const first = await offered();
  const wanted = [...TUNNEL_COMMANDS, ...optionsOf(TUNNEL_OPTIONS)];
  assertEquals(wanted.filter((word) => !first.includes(word)), []);
  assertEquals(await offered("status"), [...optionsOf(STATUS_OPTIONS)]);
  const ports = ["18789", "32125"];
  assertEquals(
    (await offered("check")).toSorted(),
    [...optionsOf(CHECK_OPTIONS), ...ports].toSorted(),
  );
  assertEquals(await offered("--vm"), ["work"]);
});

Deno.test("each exported function of the protocol has an example; make test runs them", () => {
  const root = new URL("../shared/protocol/", import.meta.url);
  const files = ["", "mux/"].flatMap((folder) =>
    [...Deno.readDirSync(new URL(folder, root))].map(({ name }) => `${folder}${name}`)
      .filter((name) => name.endsWith(".ts"))
  );
  let functions = 0;
  const bare = files.flatMap((file) => {
    const text = Deno.readTextFileSync(new URL(file, root));
    const names = new Set<string>();
    return [...text.matchAll(/^(.*)\nexport (?:async )?function (\w+)/gm)].flatMap(
      ([whole, before, name = ""]) => {
        if (names.has(name)) return []; // another signature of it
        names.add(name);
        functions++;
        const comment = text.slice(0, text.indexOf(whole)).split("/**").at(-1) ?? "";
        return before === " */" && /@example[^]*```$/.test(comment.trimEnd())
          ? []
          : [`${file}: ${name}`];
      },
    );
  });
  assert(functions >= 70, `${functions} functions`);
  assertEquals(bare, []);
});

Deno.test("what a README leads to is there", () => {
  const root = new URL("../", import.meta.url);
  const folders = ["", "dom0/", "policies/", "shared/packaging/", "shared/tunnel/", "tests/"]
    .concat(
      ["tests/bench/", "vm/ansible/", "vm/ctl/", "vm/docker/", "vm/proxy/", "vm/setup/"],
    );
  const pages = [
    ...folders.map((folder) => `${folder}README.md`),
    ...["policies/RECIPES.md", "shared/packaging/CHANGELOG.md"],
    ...[".github/SECURITY.md", ".github/CONTRIBUTING.md"],
  ].map((path) => new URL(path, root));
  const links = pages.flatMap((page) =>
    [...Deno.readTextFileSync(page).matchAll(/\]\(([^)#:]+)(?:#[\w-]+)?\)/g)]
      .map(([, to = ""]) => new URL(to, page))
  );
  assert(links.length >= 20, `${links.length} links`);
  assertEquals(links.filter((link) => !isThere(link)).map(({ pathname }) => pathname), []);
});

function isThere(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch {
    return false;
  }
}

/** What bash would offer for the last word. */
async function complete(
  program: string,
  func: string,
  words: readonly string[],
): Promise<readonly string[]> {
  const script = 'qvm-ls() { printf "dom0\\nwork\\n"; }; eval "$1"; func=$2; shift 2; ' +
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "$func"; printf "%s\\n" "${COMPREPLY[@]}"';
  const { stdout, stderr } = await new Deno.Command("/bin/bash", {
    args: ["-c", script, "bash", made(`completions/${program}`), func, ...words],
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "");
}

function made(path: string): string {
  const text = MADE.get(path);
  assert(text !== undefined, path);
  return text;
}

function manual(name: string): string {
  return made(`man/${name}`);
}

/** A page without its macros, well enough to look for words. */
function plain(page: string): string {
  return page.replace(/\\-/g, "-").replace(/\\f[A-Z]/g, "").replace(/^\.[A-Z]+ ?/gm, "")
    .replace(/"/g, "").replace(/ +/g, " ");
}
