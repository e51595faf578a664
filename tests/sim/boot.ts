// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The machine goes down and comes up again, and what was set up to start by itself starts:
 * nothing else does. In place of systemd a few lines here: each enabled unit's ExecStart is run
 * once. Of conditions ConditionPathExists= counts; Restart=, ordering, sandboxing are not looked at.
 *
 *     dom0     W/systemd.json says which units are enabled; files in usr/lib/systemd/system
 *     VMs      those whose autostart is True
 *     a VM     units in default.target.wants of the user or of /etc/systemd/user, if the user
 *              has a session from boot on: a GUI (guivm), or linger
 *
 * @module
 */
import { readTextIfAny, writeByRename } from "./files.ts";
import { worldPaths } from "./layout.ts";
import { signalProcess } from "./processes.ts";
import { readWorld } from "./world_config.ts";
import type { World } from "./world.ts";

/** A machine that can be rebooted. */
export interface Machine {
  /** Power on: dom0's units and the VMs that start by themselves. */
  boot(): Promise<void>;
  /** What "systemctl start" would start in dom0: every enabled unit. */
  startDom0Units(): void;
  /** Starts one VM, and in it what its user's session starts. */
  startVm(vm: string): Promise<void>;
  /** Everything ends; what is on no disk is gone. */
  halt(): Promise<void>;
}

/** What `systemctl enable` leaves behind. */
export function enableUnit(world: World, unit: string): void {
  const states = JSON.parse(readTextIfAny(statesFile(world)) ?? "{}");
  states[unit] = { active: false, ...states[unit], enabled: true };
  writeByRename(statesFile(world), JSON.stringify(states));
}

const statesFile = (world: World): string => `${world.folder}/systemd.json`;

export function createMachine(world: World): Machine {
  const paths = worldPaths(world.folder);
  const dom0Processes: Deno.ChildProcess[] = [];

  const startVm = async (vm: string): Promise<void> => {
    await world.startVm(vm);
    for (const argv of userUnits(world, vm)) {
      world.runInVm(vm, argv, { env: { QUBES_CLAW_ROOT: world.vmRoot(vm) } });
    }
  };
  const startDom0Units = (): void => {
    const states: Record<string, { enabled: boolean }> = JSON.parse(
      readTextIfAny(statesFile(world)) ?? "{}",
    );
    for (const unit of Object.keys(states).filter((name) => states[name]?.enabled)) {
      const text = unitText(`${paths.dom0Root}/usr/lib/systemd/system`, unit);
      const [program = "", ...args] = execStart(text, unit, [paths.dom0Bin, paths.dom0Root]);
      dom0Processes.push(
        new Deno.Command(program, {
          args,
          clearEnv: true,
          env: world.dom0Env(),
          cwd: paths.dom0Home,
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn(),
      );
    }
  };
  return {
    startVm,
    startDom0Units,
    async boot() {
      startDom0Units(); // at the same time: which is first is not promised
      const autostart = readWorld(world.folder).vms.filter((vm) =>
        vm.prefs["autostart"] === "True"
      );
      await Promise.all(autostart.map(({ name }) => startVm(name)));
    },
    async halt() {
      const running = readWorld(world.folder).vms.map(({ name }) => name)
        .filter((name) => world.powerState(name) !== "Halted");
      await Promise.all(running.map((name) => world.shutdownVm(name)));
      for (const { pid } of dom0Processes) signalProcess(pid, "SIGKILL");
      await Promise.all(dom0Processes.splice(0).map(({ status }) => status));
      await Deno.remove(`${paths.dom0Root}/run`, { recursive: true });
      await Deno.mkdir(paths.socketDir, { recursive: true });
    },
  };
}

/** The argv of each unit that the session of the VM's user starts. */
function userUnits(world: World, vm: string): string[][] {
  const root = world.vmRoot(vm);
  const config = readWorld(world.folder).vms.find(({ name }) => name === vm);
  const hasGui = (config?.prefs["guivm"] ?? "dom0") !== "";
  const lingers = readTextIfAny(`${root}/var/lib/systemd/linger/user`) !== undefined;
  if (!hasGui && !lingers) return [];
  const own = `${world.vmHome(vm)}/.config/systemd/user`;
  const names = [own, `${root}/etc/systemd/user`].flatMap((dir) =>
    namesIn(`${dir}/default.target.wants`)
  );
  return [...new Set(names)].sort().flatMap((unit) => {
    const text = readTextIfAny(`${own}/${unit}`) ?? unitText(`${root}/usr/lib/systemd/user`, unit);
    return isWanted(text, root) ? [execStart(text, unit, [world.vmBin, root])] : [];
  });
}

/** Every ConditionPathExists= of the unit holds. */
function isWanted(text: string, root: string): boolean {
  return [...text.matchAll(/^ConditionPathExists=(!?)(.*)$/gm)].every(([, not, path]) =>
    (readTextIfAny(`${root}${path}`) !== undefined) === (not === "")
  );
}

/** "name@instance.service" is in "name@.service". */
function unitText(dir: string, unit: string): string {
  const text = readTextIfAny(`${dir}/${unit}`) ??
    readTextIfAny(`${dir}/${unit.replace(/@[^.]*\./, "@.")}`);
  if (text === undefined) throw new Error(`enabled, but there is no unit file: ${unit}`);
  return text;
}

/** Words without quoting, which is all that units here use; %i is the instance. */
function execStart(text: string, unit: string, places: readonly string[]): string[] {
  const line = /^ExecStart=(.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new Error(`no ExecStart in ${unit}`);
  const instance = /@([^.]*)\./.exec(unit)?.[1] ?? "";
  const [program = "", ...args] = line.replaceAll("%i", instance).trim().split(/\s+/);
  const [bin = "", root = ""] = places;
  const name = program.slice(program.lastIndexOf("/") + 1);
  const candidates = [`${bin}/${name}`, `${root}${program}`, program];
  return [candidates.find((path) => readTextIfAny(path) !== undefined) ?? program, ...args];
}

function namesIn(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
