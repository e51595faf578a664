// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Types the README's section "Reach the agent" into a simulated Qubes, and prints what happens.
 * In place of systemd a few lines here start what was enabled with --now. Started by
 * readme_test.ts in a network of its own, because dom0 listens on the README's ports.
 *
 * @module
 */
import { setupLauncher } from "./setup_scene.ts";
import { createMachine } from "../sim/boot.ts";
import { unitStates } from "../sim/systemctl.ts";
import { installAgentPackage, installLogger } from "../sim/distribution.ts";
import { createWorld, type World } from "../sim/world.ts";
import { commandsOf, typeUntilWell, writeProgram } from "./typing.ts";
import { builtDom0Launcher, builtVmLauncher } from "./built_launcher.ts";
import { PROJECT, sourceLauncher } from "./program_flags.ts";

/** What "make dom0 vm" built is typed if this says where it is. */
const BUILT = Deno.env.get("QVM_REMOTE_BUILT");

const AGENT = "claw";
const CLIENT = "work";
const PLACES: Readonly<Record<string, string>> = {
  "# in the agent VM:": AGENT,
  "# in dom0:": "dom0",
  "# in that VM:": CLIENT,
};

const SUDO = '#!/bin/sh\nUSER=root exec "$@"\n';
/** What a user's systemctl does with "enable --now". */
const USER_SYSTEMCTL = `#!/bin/sh
[ "$1 $2 $3" = "--user enable --now" ] || exit 64
unit=$QUBES_CLAW_ROOT/usr/lib/systemd/user/$4.service
mkdir -p ~/.config/systemd/user/default.target.wants
ln -sf "$unit" ~/.config/systemd/user/default.target.wants/
setsid "$(basename "$(sed -n 's/^ExecStart=//p' "$unit")")" </dev/null >/dev/null 2>&1 &
`;

async function main(): Promise<number> {
  await using world = await createWorld({
    ...{ ownNetworks: true, globals: { default_template: "fedora", default_netvm: "" } },
    vms: [
      { name: "fedora", klass: "TemplateVM", running: false },
      { name: AGENT, klass: "StandaloneVM", running: false },
      { name: CLIENT, running: false },
    ],
    extraEnv: { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` },
  });
  await install(world);
  for (const vm of [AGENT, CLIENT]) await world.startVm(vm);
  serve(world, 32125, "/health");
  serve(world, 18789, "/healthz");
  const machine = createMachine(world);
  let unitsRun = false;
  for (
    const command of await commandsOf({ page: "README.md", heading: "Reach the agent" }, PLACES)
  ) {
    await typeUntilWell(world, command);
    if (!unitsRun && Object.values(unitStates(world.folder)).some(({ active }) => active)) {
      unitsRun = true;
      machine.startDom0Units();
    }
  }
  await machine.halt();
  return 0;
}

async function install(world: World): Promise<void> {
  installLogger(world);
  for (const name of ["openclaw-ports", "openclaw-connect", "openclaw-tunnel"] as const) {
    const program = name === "openclaw-tunnel" ? "openclaw-tunnel in a VM" : name;
    const text = BUILT === undefined
      ? sourceLauncher(program, `vm/${name}.ts`)
      : await builtVmLauncher(world, name, BUILT);
    writeProgram(`${world.vmBin}/${name}`, text);
  }
  writeProgram(`${world.vmBin}/systemctl`, USER_SYSTEMCTL);
  const texts = {
    "openclaw-tunnel": sourceLauncher("openclaw-tunnel", "dom0/openclaw-tunnel.ts"),
    "setup-dom0": setupLauncher(world.dom0Root),
  };
  for (const [name, text] of Object.entries(texts)) {
    const built = BUILT === undefined ? text : await builtDom0Launcher(world, name, BUILT);
    writeProgram(`${world.dom0Bin}/${name}`, built);
  }
  for (const bin of [world.dom0Bin, world.vmBin]) writeProgram(`${bin}/sudo`, SUDO);
  for (const vm of [AGENT, CLIENT]) {
    installAgentPackage(world, vm, "link");
    const usr = `${world.vmRoot(vm)}/usr/lib`;
    const mux = BUILT === undefined
      ? sourceLauncher("openclaw.Mux", "vm/openclaw.Mux.ts")
      : await builtVmLauncher(world, "openclaw.Mux", BUILT);
    writeProgram(`${usr}/qubes-claw/openclaw.Mux`, mux);
    const unit = "openclaw-connect.service";
    const text = await Deno.readTextFile(`${PROJECT}/vm/systemd/user/${unit}`);
    writeProgram(`${usr}/systemd/user/${unit}`, text);
  }
  const { dom0Root } = world;
  const unit = "openclaw-tunnels.service";
  const text = await Deno.readTextFile(`${PROJECT}/dom0/systemd/${unit}`);
  writeProgram(`${dom0Root}/usr/lib/systemd/system/${unit}`, text);
  for (const { name } of Deno.readDirSync(`${PROJECT}/policies`)) {
    const policy = Deno.readTextFileSync(`${PROJECT}/policies/${name}`);
    writeProgram(`${dom0Root}/usr/share/qubes-claw/policies/${name}`, policy);
  }
}

/** Stands for the proxy, or the gateway, in the agent VM. */
function serve(world: World, port: number, path: string): void {
  const program = `${PROJECT}/tests/e2e/stand-in-server.ts`;
  const words = ["run", "--no-check", "--allow-net", program, String(port), path, "well\n"];
  world.runInVm(AGENT, [Deno.execPath(), ...words]);
}

if (import.meta.main) Deno.exit(await main());
