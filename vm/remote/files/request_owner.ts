// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether somebody still waits for a request. A client that waits creates the file with mode 0400 and
 * holds an flock on it: the mode says that the client holds locks, the lock that it is alive. The
 * kernel releases the lock when the client ends, in whatever way. A client that leaves its request to
 * itself gives the file another mode first.
 *
 * @module
 */

import { ifPresentSync } from "../../../shared/io/sync_files.ts";

/** The mode of a request whose client holds a lock on it. */
export const OWNED_FILE = 0o400;
/** Each wait for a lock takes a thread; a session has no more requests open than half of this. */
const MAX_WAITS = 128;

/** "silent": the client gives no such sign, like those of protocol 1. */
export type Owner = "lives" | "gone" | "silent";

/** Before 2.5, Deno can only wait for a lock: there an owner counts as alive. */
interface TryLock {
  tryLockSync?(exclusive: boolean): boolean;
}

export function ownerOf(path: string): Owner {
  if (!isOwned(path)) return "silent";
  using file = ifPresentSync(() => Deno.openSync(path, { read: true }));
  if (file === undefined) return "silent";
  const { tryLockSync } = file as TryLock;
  return tryLockSync?.call(file, true) === true ? "gone" : "lives";
}

export interface OwnerWatch {
  /** Calls back once when the owner of the file has ended; never if it has none. */
  watch(path: string, onGone: () => void): void;
}

export function createOwnerWatch(): OwnerWatch {
  let waits = 0;
  return {
    watch(path, onGone) {
      if (waits >= MAX_WAITS || !isOwned(path)) return;
      const file = ifPresentSync(() => Deno.openSync(path, { read: true }));
      if (file === undefined) return;
      waits++;
      file.lock(true).then(() => {
        if (hasOwnedMode(file.statSync())) onGone();
      }).catch(() => {}).finally(() => {
        waits--;
        file.close();
      });
    },
  };
}

function isOwned(path: string): boolean {
  const info = ifPresentSync(() => Deno.lstatSync(path));
  return info?.isFile === true && hasOwnedMode(info);
}

function hasOwnedMode({ mode }: Deno.FileInfo): boolean {
  return ((mode ?? 0) & 0o777) === OWNED_FILE;
}
