// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the running tunnels do, in /run, for "status": each has a folder of its own (systemd's
 * RUNTIME_DIRECTORY) with one state file, and a lock that goes with the process.
 *
 * @module
 */

import { isLocked, tryLock } from "../io/file_lock.ts";
import { ifPresent, readSmallText } from "../io/files.ts";
import { createStateWriter, type StateWriter, writeState } from "../io/state_writer.ts";
import type { PortState } from "./port_tunnel.ts";

const STATE_FILE = "tunnel.json";
const LOCK_FILE = "tunnel.lock";
const MAX_STATE_BYTES = 1024 * 1024;
const WRITE_DELAY_MS = 250;
/** Counters and ports are no secret; "status" is for everyone on this machine. */
const STATE_MODE = 0o644;

export interface TunnelState {
  readonly pid: number;
  readonly startedAt: string;
  readonly version: string;
  readonly ports: readonly PortState[];
}

/** @returns null if the folder cannot be written: the tunnel works, "status" does not see it */
export async function openStateFile(
  folder: string,
  getState: () => TunnelState,
): Promise<StateWriter | null> {
  const path = `${folder}/${STATE_FILE}`;
  const options = { path, mode: STATE_MODE, delayMs: WRITE_DELAY_MS, getState };
  let lock: Deno.FsFile;
  try {
    await Deno.mkdir(folder, { recursive: true });
    lock = await Deno.open(`${folder}/${LOCK_FILE}`, {
      read: true,
      write: true,
      create: true,
      mode: STATE_MODE,
    });
    if (!await tryLock(lock)) return null;
    await writeState(options);
  } catch (error) {
    const isExpected = error instanceof Deno.errors.PermissionDenied ||
      error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.NotFound;
    if (isExpected) return null;
    throw error;
  }
  const writer = createStateWriter(options);
  return {
    changed: writer.changed,
    async close() {
      await writer.close();
      await ifPresent(Deno.remove(`${folder}/${LOCK_FILE}`));
      lock.close();
    },
  };
}

/** Every tunnel that runs. One that was killed leaves its file, but not its lock. */
export async function readStates(runFolder: string): Promise<readonly TunnelState[]> {
  const states: TunnelState[] = [];
  const folders = await ifPresent(Array.fromAsync(Deno.readDir(runFolder))) ?? [];
  for (const { name } of folders.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
    const text = await ifPresent(
      readSmallText(`${runFolder}/${name}/${STATE_FILE}`, MAX_STATE_BYTES),
    );
    if (text === undefined || !await isLocked(`${runFolder}/${name}/${LOCK_FILE}`)) continue;
    states.push(JSON.parse(text)); // our own file, in a folder of root's
  }
  return states;
}
