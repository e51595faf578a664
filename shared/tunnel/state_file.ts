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
import type { PortState } from "./carry/port_account.ts";

const STATE_FILE = "tunnel.json";
/** A running tunnel holds it. */
export const LOCK_FILE = "tunnel.lock";
const MAX_STATE_BYTES = 1024 * 1024;
const WRITE_DELAY_MS = 250;
/** Counters and ports are no secret; "status" is for everyone on this machine. */
const STATE_MODE = 0o644;

export interface TunnelState {
  readonly pid: number;
  readonly startedAt: string;
  readonly version: string;
  /** Connections with a qrexec call of their own: the most of all tunnels together. */
  readonly mostDirect: number;
  readonly ports: readonly PortState[];
}

/** The folder of this tunnel, whose lock it holds. */
export interface TunnelFolder {
  readonly path: string;
  /** Writes the state file, and keeps it true. */
  keep(getState: () => TunnelState): Promise<StateWriter>;
  /** Releases the lock. */
  close(): Promise<void>;
}

/** @returns null if it cannot be written: the tunnel works, but "status" does not see it */
export async function openTunnelFolder(path: string): Promise<TunnelFolder | null> {
  const lockFile = `${path}/${LOCK_FILE}`;
  let lock: Deno.FsFile;
  try {
    await Deno.mkdir(path, { recursive: true });
    lock = await Deno.open(lockFile, { read: true, write: true, create: true, mode: STATE_MODE });
  } catch (error) {
    const isExpected = error instanceof Deno.errors.PermissionDenied ||
      error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.NotFound;
    if (isExpected) return null;
    throw error;
  }
  if (!await tryLock(lock)) return null;
  return {
    path,
    async keep(getState) {
      const options = {
        path: `${path}/${STATE_FILE}`,
        mode: STATE_MODE,
        delayMs: WRITE_DELAY_MS,
        getState,
      };
      await writeState(options);
      return createStateWriter(options);
    },
    async close() {
      await ifPresent(Deno.remove(lockFile));
      lock.close();
    },
  };
}

/** Every tunnel that runs. One that was killed leaves its file, but not its lock. */
export async function readStates(runFolder: string): Promise<readonly TunnelState[]> {
  const states: TunnelState[] = [];
  const folders = await ifPresent(Array.fromAsync(Deno.readDir(runFolder))) ?? [];
  for (const { name, isDirectory } of folders.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
    if (!isDirectory) continue;
    const text = await ifPresent(
      readSmallText(`${runFolder}/${name}/${STATE_FILE}`, MAX_STATE_BYTES),
    );
    if (text === undefined || !await isLocked(`${runFolder}/${name}/${LOCK_FILE}`)) continue;
    states.push(JSON.parse(text)); // our own file, in a folder of root's
  }
  return states;
}
