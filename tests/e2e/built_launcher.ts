// SPDX-License-Identifier: GPL-2.0-or-later
/** Starts what "make dom0 vm" built in a simulated Qubes. @module */

import { builtText } from "./launcher_text.ts";
import type { World } from "../sim/world.ts";
import { writeExecutable } from "../executable.ts";

/** Folders that the programs of dom0 have in their permissions. */
const DOM0_FOLDERS = "etc var/lib usr/share run";

/**
 * A program of dom0 has its paths in its permissions: it runs where the folders of this world's
 * dom0 are mounted over those of this machine. Needs root.
 *
 * @returns the text of a script
 */
export function builtDom0Launcher(world: World, program: string, built: string): string {
  const lib = `${world.folder}/dom0-lib`;
  const launcher = `${lib}/${program}`;
  const text = builtText(`${built}/dom0/${program}`, lib);
  writeExecutable(launcher, text);
  const script = `for d in ${DOM0_FOLDERS}; do mount --bind "$1/$d" "/$d"; done
shift; unset QUBES_CLAW_ROOT; exec ${launcher} "$@"`;
  return `#!/bin/sh\nexec unshare --mount sh -e -c '${script}' sh ${world.dom0Root} "$@"\n`;
}

/** A program of a VM takes its root from QUBES_CLAW_ROOT. @returns the text of a script */
export function builtVmLauncher(world: World, program: string, built: string): string {
  return builtText(`${built}/vm/${program}`, `${world.folder}/vm-lib`);
}
