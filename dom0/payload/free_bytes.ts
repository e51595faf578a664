// SPDX-License-Identifier: GPL-2.0-or-later
/** How much room a disk has for this user, by stat(1). @module */

import { runTool } from "../../shared/io/run_tool.ts";

/** In the file system of that folder. */
export type FreeBytes = (folder: string) => Promise<number>;

const LIMIT_MS = 10_000;

export const freeBytes: FreeBytes = async (folder) => {
  const argv = ["stat", "--file-system", "--format=%a %S", "--", folder] as const;
  const { stdout } = await runTool(argv, { limitMs: LIMIT_MS });
  const [blocks, size] = stdout.trim().split(" ").map(Number);
  return (blocks ?? NaN) * (size ?? NaN);
};
