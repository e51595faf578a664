// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Types the section "Run an agent" of vm/setup/README.md into a simulated Qubes, and prints what happens: from
 * no VM to an answer from dom0, and to one in an agent VM without network and key. The programs are
 * the real ones but for OpenClaw, npm, sudo and systemd; the provider is a double, whose address
 * is put into proxy.json. Started by readme_test.ts in a network of its own.
 *
 * @module
 */

import { EXIT_OK, UserError } from "../../shared/cli/program.ts";
import { createMachine, type Machine } from "../sim/boot.ts";
import { writeByRename } from "../sim/files.ts";
import { unitStates } from "../sim/systemctl.ts";
import type { World } from "../sim/world.ts";
import { install, KEYS, startProvider } from "./keyqube_world.ts";
import { type Program, PROJECT, sourceLauncher } from "./program_flags.ts";
import { createScene } from "./setup_scene.ts";
import { installShare, STAND_INS } from "./setup_vm_world.ts";
import { commandsOf, type Typed, typeUntilWell, writeProgram } from "./typing.ts";

const AGENT = "claw";
const PLACES: Readonly<Record<string, string>> = {
  "# in dom0:": "dom0",
  "# in the key qube:": KEYS,
  "# in the agent VM:": AGENT,
};
/** Ollama's, to which the proxy may go in any case: the provider's address is put in while it runs. */
const PROVIDER_PORT = 11434;
/** What the page writes for a key. */
const KEY = "sk-...";
const DOM0_UNIT = "openclaw-tunnels.service";

/** Conditions and ExecStart= are the real units'; "boot" is what a VM's start does. */
const SYSTEMCTL = `#!/bin/sh
scope=system
[ "$1" = --user ] && { scope=user; shift; }
verb=$1
shift
state=$QUBES_CLAW_ROOT/systemd-$scope
mkdir -p "$state"
units=${PROJECT}/vm/systemd
[ $scope = system ] || units=$units/user
may_start() {
  for condition in $(sed -n 's/^ConditionPathExists=//p' "$units/$1"); do
    case $condition in
      !*) [ ! -e "$QUBES_CLAW_ROOT\${condition#!}" ] || return 1 ;;
      *) [ -e "$QUBES_CLAW_ROOT$condition" ] || return 1 ;;
    esac
  done
}
begin() {
  may_start "$1" || return 0
  touch "$state/$1.active"
  case $1 in *watchdog*) return 0 ;; esac
  line=$(sed -n 's/^ExecStart=//p' "$units/$1")
  case $line in
    /usr/bin/*) line=\${line#/usr/bin/} ;;
    *) line=$QUBES_CLAW_ROOT$line ;;
  esac
  setsid sh -c "exec $line" </dev/null >"$state/$1.log" 2>&1 &
}
case $verb in
  enable) touch "$state/$1.enabled" ;;
  disable) rm -f "$state/$1.enabled" ;;
  start) begin "$1" ;;
  stop) rm -f "$state/$1.active" ;;
  is-enabled) for unit; do :; done; [ -e "$state/$unit.enabled" ] ;;
  is-active) for unit; do :; done; [ -e "$state/$unit.active" ] ;;
  boot)
    rm -f "$state"/*.active
    for file in "$state"/*.enabled; do
      [ ! -e "$file" ] || begin "$(basename "$file" .enabled)"
    done ;;
  show)
    while [ "$1" != -- ]; do shift; done
    shift
    for unit; do
      active=inactive
      [ ! -e "$state/$unit.active" ] || active=active
      printf 'Id=%s\\nLoadState=loaded\\nActiveState=%s\\nUnitFileState=enabled\\n\\n' "$unit" $active
    done ;;
  *) exit 64 ;;
esac
`;

interface Running {
  readonly machine: Machine;
  dom0Runs: boolean;
  readonly providers: { stop(): Promise<void> }[];
}

async function main(): Promise<number> {
  await using scene = await createScene([], {
    ...{ ownNetworks: true, realPolicies: true },
    extraEnv: { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` },
  });
  const { world } = scene;
  await installPrograms(world);
  const state: Running = { machine: createMachine(world), dom0Runs: false, providers: [] };
  const answers: string[] = [];
  try {
    for (
      const command of await commandsOf(
        { page: "vm/setup/README.md", heading: "Run an agent" },
        PLACES,
      )
    ) {
      const said = await typeUntilWell(world, command);
      if (command.text.startsWith("curl")) answers.push(said);
      await afterwards(world, command, state);
    }
  } catch (error) {
    await printUnitLogs(world);
    throw error;
  } finally {
    for (const provider of state.providers) await provider.stop();
    await state.machine.halt();
  }
  const good = answers.filter((answer) => answer.includes("you said hello")).length;
  if (good !== 2) throw new UserError(`${good} of 2 answers: ${answers.join("\n")}`);
  return EXIT_OK;
}

/** What a person does not type: installing, booting, and the double of the provider. */
async function afterwards(
  world: World,
  { place, text }: Typed,
  state: Running,
): Promise<void> {
  if (text.startsWith("sudo setup-dom0") && !state.dom0Runs) {
    state.dom0Runs = Object.values(unitStates(world.folder)).some(({ active }) => active);
    if (state.dom0Runs) state.machine.startDom0Units();
  }
  if (text.startsWith("qvm-start")) {
    for (const vm of text.split(" ").slice(1)) await booted(world, vm);
  }
  if (!text.startsWith("setup-vm openai") || text.includes("--key-qube")) return;
  const path = `${world.vmHome(place)}/.openclaw/proxy.json`;
  const config = JSON.parse(await Deno.readTextFile(path));
  config.providers.openai.baseUrl = `http://127.0.0.1:${PROVIDER_PORT}/v1`;
  writeByRename(path, JSON.stringify(config));
  state.providers.push(startProvider(world, place, PROVIDER_PORT, KEY));
}

async function booted(world: World, vm: string): Promise<void> {
  const root = world.vmRoot(vm);
  await install(world, [vm]);
  await installShare(root);
  await Deno.mkdir(`${root}/proc`, { recursive: true });
  await Deno.writeTextFile(`${root}/proc/meminfo`, `MemTotal:  ${4096 * 1024} kB\n`);
  const gateway = await Deno.readTextFile(`${PROJECT}/vm/packaging/openclaw-gateway`);
  writeProgram(`${root}/usr/lib/qubes-claw/openclaw-gateway`, gateway);
  for (const scope of [[], ["--user"]]) {
    await world.runInVm(vm, ["systemctl", ...scope, "boot"], {
      env: { QUBES_CLAW_ROOT: root },
    }).status;
  }
}

/** What the units of the VMs said: their journal, as it were. */
async function printUnitLogs(world: World): Promise<void> {
  const script = 'tail -n 20 -- "$0"/vms/*/systemd-*/*.log';
  await new Deno.Command("bash", { args: ["-c", script, world.folder] }).spawn().status;
}

async function installPrograms(world: World): Promise<void> {
  await install(world, []);
  const vmPrograms: readonly Program[] = ["setup-vm", "openclaw-ctl"];
  for (const name of vmPrograms) {
    writeProgram(`${world.vmBin}/${name}`, sourceLauncher(name, `vm/${name}.ts`));
  }
  for (const [name, text] of Object.entries(STAND_INS)) {
    writeProgram(`${world.vmBin}/${name}`, `#!/bin/sh\n${text}`);
  }
  writeProgram(`${world.vmBin}/systemctl`, SYSTEMCTL);
  const double = `run -A --no-check --quiet "${PROJECT}/tests/e2e/gateway-double.ts" 18789`;
  writeProgram(`${world.vmBin}/gateway-double`, `#!/bin/sh\nexec "${Deno.execPath()}" ${double}\n`);
  writeProgram(`${world.dom0Bin}/sudo`, '#!/bin/sh\nUSER=root exec "$@"\n');
  writeProgram(
    `${world.dom0Bin}/openclaw-tunnel`,
    sourceLauncher("openclaw-tunnel", "dom0/openclaw-tunnel.ts"),
  );
  const unit = await Deno.readTextFile(`${PROJECT}/dom0/systemd/${DOM0_UNIT}`);
  writeProgram(`${world.dom0Root}/usr/lib/systemd/system/${DOM0_UNIT}`, unit);
}

if (import.meta.main) Deno.exit(await main());
