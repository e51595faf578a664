// SPDX-License-Identifier: GPL-2.0-or-later
/** Starts what "make dom0 vm" built in a simulated Qubes. @module */

import type { World } from "../sim/world.ts";

/** Folders that the programs of dom0 have in their permissions. */
const DOM0_FOLDERS = "etc var/lib usr/share run";

/**
 * A program of dom0 has its paths in its permissions: it runs where the folders of this world's
 * dom0 are mounted over those of this machine. Needs root.
 *
 * @returns the text of a script
 */
export async function builtDom0Launcher(
  world: World,
  program: string,
  built: string,
): Promise<string> {
  const lib = await libFolder(world);
  await copyIfThere(`${built}/dom0/${program}.js`, `${lib}/${program}.js`); // or it is one file
  const script = `for d in ${DOM0_FOLDERS}; do mount --bind "$1/$d" "/$d"; done
shift; unset QUBES_CLAW_ROOT; export QUBES_CLAW_LIB=${lib}; exec ${built}/dom0/${program} "$@"`;
  return `#!/bin/sh\nexec unshare --mount sh -e -c '${script}' sh ${world.dom0Root} "$@"\n`;
}

/** A program of a VM takes its root from QUBES_CLAW_ROOT. @returns the text of a script */
export async function builtVmLauncher(
  world: World,
  program: string,
  built: string,
): Promise<string> {
  const lib = await libFolder(world);
  await Deno.copyFile(`${built}/vm/${program}.js`, `${lib}/${program}.js`);
  return `#!/bin/sh\nexport QUBES_CLAW_LIB=${lib}\nexec "${built}/vm/${program}" "$@"\n`;
}

/** With the Deno that runs the tests. */
async function libFolder(world: World): Promise<string> {
  const lib = `${world.folder}/lib`;
  await Deno.mkdir(lib, { recursive: true });
  try {
    await Deno.symlink(Deno.execPath(), `${lib}/deno`);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  return lib;
}

async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await Deno.copyFile(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
