// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The environments of programs. Each is complete: nothing else is inherited.
 *
 * Two variables mark where a process lives. They are the one thing a program
 * could see that is not there in Qubes; processes.ts needs them.
 *
 * @module
 */
import { vmPaths, worldPaths } from "./layout.ts";
import type { WorldConfig } from "./world_config.ts";

/** Variable with the folder of the world a process belongs to. */
export const WORLD_MARK = "QUBES_SIM_WORLD";
/** Variable with the name of the VM a process runs in; not set in dom0. */
export const VM_MARK = "QUBES_SIM_VM";

const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of a program of dom0. */
export function dom0Environment(folder: string, world: WorldConfig): Record<string, string> {
  const paths = worldPaths(folder);
  return {
    HOME: paths.dom0Home,
    USER: "root",
    LOGNAME: "root",
    SHELL: "/bin/bash",
    LANG: "C.UTF-8",
    PATH: `${paths.dom0Bin}:${SYSTEM_PATH}`,
    QUBES_CLAW_ROOT: paths.dom0Root,
    DENO_DIR: world.denoDir,
    DENO_NO_UPDATE_CHECK: "1",
    ...world.extraEnv,
    [WORLD_MARK]: folder,
  };
}

/** The environment of a program that `user` runs in `vm`: that of the session. */
export function vmEnvironment(
  folder: string,
  world: WorldConfig,
  vm: string,
  user = "user",
): Record<string, string> {
  return {
    HOME: vmPaths(folder, vm).home,
    USER: user,
    LOGNAME: user,
    SHELL: "/bin/bash",
    LANG: "C.UTF-8",
    PATH: `${worldPaths(folder).vmBin}:${SYSTEM_PATH}`,
    // Not there in Qubes, where each VM has a file system of its own.
    QUBES_CLAW_ROOT: vmPaths(folder, vm).root,
    DENO_DIR: world.denoDir,
    DENO_NO_UPDATE_CHECK: "1",
    ...world.extraEnv,
    [WORLD_MARK]: folder,
    [VM_MARK]: vm,
  };
}
