// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One line for the desktop's panel: "4242 running 3", the daemon's process, how it is, and how many
 * requests wait. It names no VM: every user of dom0 may read it, as a program in the user's panel does.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { createStateWriter, type StateWriter } from "../../shared/io/state_writer.ts";

const FOR_ALL = 0o644;
const FOLDER_FOR_ALL = 0o755;

export interface PanelState {
  readonly pid: number;
  readonly lockdown: boolean;
  readonly problems: readonly string[];
  readonly parked: number;
}

export function panelLine({ pid, lockdown, problems, parked }: PanelState): string {
  const word = lockdown ? "locked" : problems.length > 0 ? "trouble" : "running";
  return `${pid} ${word} ${parked}`;
}

export function createPanelFile(
  path: string,
  delayMs: number,
  getState: () => PanelState,
): StateWriter {
  const writer = createStateWriter({
    path,
    delayMs,
    mode: FOR_ALL,
    getState: () => panelLine(getState()),
    toText: String,
  });
  return {
    ...writer,
    async write() {
      await openFolder(dirname(path));
      await writer.write();
    },
  };
}

/** systemd makes it for root alone. */
async function openFolder(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.chmod(folder, FOLDER_FOR_ALL);
}
