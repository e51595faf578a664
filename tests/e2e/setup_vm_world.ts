// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A VM in which setup-vm runs: its real program with its real permissions, the real openclaw-ports
 * and openclaw-proxy, and stand-ins for what a test cannot have: sudo, npm, systemd. A file of the
 * VM's root folder makes one of them fail.
 *
 * @module
 */

import { finish, type Finished } from "./installed.ts";
import { PROJECT, sourceLauncher } from "./program_flags.ts";
import { type VmSide, vmSide, writeLauncher } from "./vmside_world.ts";
import { writeExecutable } from "../executable.ts";

const VM = "agent";

/** What goes wrong, by the name of the file that makes it so. */
export type Trouble =
  | "no-sudo"
  | "no-npm"
  | "no-network"
  | "npm-cut"
  | "npm-leaves-out"
  | "good-node";

export interface SetupVm extends AsyncDisposable {
  readonly root: string;
  readonly home: string;
  setup(...words: string[]): Promise<Finished>;
  /** The same, with an answer typed. */
  answer(line: string, ...words: string[]): Promise<Finished>;
  trouble(what: Trouble, isSo?: boolean): Promise<void>;
  memory(totalMib: number, maximumMib?: number): Promise<void>;
  flag(name: string): Promise<void>;
  text(path: string): Promise<string | undefined>;
  mode(path: string): Promise<string | undefined>;
  /** What the stand-ins were asked, one command a line. */
  asked(): Promise<readonly string[]>;
  restart(): Promise<void>;
  readonly qubes: VmSide;
}

export interface SetupVmOptions {
  /** The registry's real packages by the real npm, with this environment. */
  readonly realNpm?: Readonly<Record<string, string>>;
}

export async function setupVm(
  klass: "StandaloneVM" | "AppVM" | "TemplateVM",
  { realNpm }: SetupVmOptions = {},
): Promise<SetupVm> {
  const qubes = await vmSide([
    { name: "base", klass: "TemplateVM", running: false },
    { name: VM, klass, prefs: klass === "AppVM" ? { template: "base" } : {}, running: false },
  ]);
  const { world } = qubes;
  const [root, home] = [world.vmRoot(VM), world.vmHome(VM)];
  const launcher = sourceLauncher("setup-vm", "vm/setup-vm.ts", Object.keys(realNpm ?? {}));
  writeExecutable(`${world.vmBin}/setup-vm`, launcher);
  writeLauncher(`${world.vmBin}/openclaw-proxy`, "openclaw-proxy", "vm/openclaw-proxy.ts");
  for (const [name, text] of Object.entries(STAND_INS)) {
    if (realNpm !== undefined && ["npm", "node"].includes(name)) continue; // npm is a Node program
    writeExecutable(`${world.vmBin}/${name}`, `#!/bin/sh\n${LOG}\n${text}`);
  }
  // An AppVM gets what its template has.
  for (const place of [world.vmRoot("base"), root]) await installShare(place);
  await world.startVm(VM);
  const asked = `${root}/asked.log`;
  const run = (words: readonly string[], input?: string): Promise<Finished> => {
    const child = world.runInVm(VM, [`${world.vmBin}/setup-vm`, ...words], {
      env: { QUBES_CLAW_ROOT: root, USER: "user", ...realNpm },
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    });
    return input === undefined ? finish(child) : finish(child, input);
  };
  const memory = async (totalMib: number, maximumMib?: number): Promise<void> => {
    await Deno.mkdir(`${root}/proc`, { recursive: true });
    await Deno.writeTextFile(`${root}/proc/meminfo`, `MemTotal:  ${totalMib * 1024} kB\n`);
    if (maximumMib === undefined) return;
    await Deno.writeTextFile(`${root}/static-max`, `${maximumMib * 1024}\n`);
  };
  await memory(4096);
  return {
    ...{ qubes, root, home, memory },
    setup: (...words) => run(words),
    answer: (line, ...words) => run(words, `${line}\n`),
    async trouble(what, isSo = true) {
      if (isSo) await Deno.writeTextFile(`${root}/${what}`, "");
      else await Deno.remove(`${root}/${what}`);
    },
    async flag(name) {
      await Deno.mkdir(`${root}/run/qubes-service`, { recursive: true });
      await Deno.writeTextFile(`${root}/run/qubes-service/${name}`, "");
    },
    text: (path) => Deno.readTextFile(path).catch(() => undefined),
    async mode(path) {
      const info = await Deno.lstat(path).catch(() => undefined);
      return info === undefined ? undefined : ((info.mode ?? 0) & 0o7777).toString(8);
    },
    async asked() {
      const text = await Deno.readTextFile(asked).catch(() => "");
      await Deno.remove(asked).catch(() => {});
      return text.split("\n").filter((line) => line !== "").map((line) =>
        line.replaceAll(home, "~").replaceAll(root, "")
      );
    },
    async restart() {
      await world.shutdownVm(VM);
      await world.startVm(VM);
    },
    [Symbol.asyncDispose]: qubes[Symbol.asyncDispose],
  };
}

/** As "make install-vm" puts it. */
export async function installShare(root: string): Promise<void> {
  const share = `${root}/usr/share/qubes-claw/openclaw`;
  await Deno.mkdir(share, { recursive: true });
  const { success } = await new Deno.Command("cp", {
    args: ["-r", "--", `${PROJECT}/vm/openclaw/.`, share],
  }).output();
  if (!success) throw new Error("cp failed");
}

const LOG =
  'case "$*" in --version) ;; *) echo "$(basename "$0") $*" >>"$QUBES_CLAW_ROOT/asked.log" ;; esac';

/** What a package of the registry brings, in place of the real thing: two small scripts. */
export const STAND_INS: Readonly<Record<string, string>> = {
  sudo: `[ "$1" = -n ] && shift
[ ! -e "$QUBES_CLAW_ROOT/no-sudo" ] || { echo "sudo: a password is required" >&2; exit 1; }
exec "$@"
`,
  node: `[ -e "$QUBES_CLAW_ROOT/good-node" ] && { echo v24.16.0; exit; }
echo v20.20.2
`,
  npm: `[ ! -e "$QUBES_CLAW_ROOT/no-npm" ] || exit 127
case $1 in
  --version) echo 11.19.1 ;;
  ping) [ ! -e "$QUBES_CLAW_ROOT/no-network" ] || { echo "npm error code ENOTFOUND" >&2; exit 1; } ;;
  ci)
    folder=$3
    rm -rf "$folder/node_modules"
    mkdir -p "$folder/node_modules/openclaw"
    [ ! -e "$QUBES_CLAW_ROOT/npm-cut" ] || { echo "npm error network" >&2; exit 1; }
    [ ! -e "$QUBES_CLAW_ROOT/npm-leaves-out" ] || exit 0
    grep -q '"openclaw":' "$folder/package.json" && cat >"$folder/node_modules/openclaw/openclaw.mjs" <<'OPENCLAW'
case "$*" in
  --version) echo "OpenClaw 2026.9.6" ;;
  "gateway run --bind loopback") exec gateway-double ;;
  "config validate --json")
    if grep -q loopback "$HOME/.openclaw/openclaw.json"; then echo '{"valid":true}'; exit; fi
    echo '{"valid":false,"issues":[{"path":"gateway","message":"Invalid option"}]}'
    exit 1 ;;
esac
OPENCLAW
    if grep -q node-linux "$folder/package.json"; then
      for arch in x64 arm64; do
        mkdir -p "$folder/node_modules/node-linux-$arch/bin"
        printf '#!/bin/sh\\ncase $1 in --version) echo v24.21.0 ;; *) exec sh "$@" ;; esac\\n' >"$folder/node_modules/node-linux-$arch/bin/node"
        chmod 755 "$folder/node_modules/node-linux-$arch/bin/node"
      done
    fi ;;
esac
`,
  systemctl: `scope=system
[ "$1" = --user ] && { scope=user; shift; }
verb=$1
shift
[ "\${1:-}" = --quiet ] && shift
state=$QUBES_CLAW_ROOT/systemd-$scope
mkdir -p "$state"
case $verb in
  enable) touch "$state/$1.enabled" ;;
  disable) rm -f "$state/$1.enabled" ;;
  start) touch "$state/$1.active" ;;
  stop) rm -f "$state/$1.active" ;;
  is-enabled) [ -e "$state/$1.enabled" ] ;;
  is-active) [ -e "$state/$1.active" ] ;;
  *) exit 1 ;;
esac
`,
  loginctl: `folder=$QUBES_CLAW_ROOT/var/lib/systemd/linger
mkdir -p "$folder"
case $1 in
  enable-linger) : >"$folder/$2" ;;
  disable-linger) rm -f "$folder/$2" ;;
esac
`,
  "xenstore-read": `cat "$QUBES_CLAW_ROOT/static-max" 2>/dev/null\n`,
};
