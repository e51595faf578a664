// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How many connections may have a qrexec call of their own, in all tunnels of this machine together:
 * a machine has few vchans, and using them up would keep every other VM from its calls.
 *
 * Each tunnel keeps a number beside its state: how many calls it has, or has set aside for a moment.
 * It raises that number only while it holds a lock on the folder of all, and only as far as the sum
 * stays within the limit.
 *
 * @module
 */

import { canTryLock, isLocked } from "../../io/file_lock.ts";
import { ifPresent, readSmallText, writeAtomically } from "../../io/files.ts";
import { within } from "../../io/timing.ts";
import type { Clock } from "../clock.ts";

/** Of one qrexec call: rings of 64 KiB each way, and a page for their heads. Measured: 4.4.2. */
const PAGES_OF_CALL = 33;
/** xen_gntalloc.limit, where the kernel's own value cannot be read. */
export const DEFAULT_GRANT_PAGES = 1024;
/** The rest is for the calls of everybody else: qvm-run, qvm-copy, backups, the daemon. */
const SHARE = 0.4;
/** A VM carries no more calls at once, whatever this machine could. */
const MOST_CALLS = 24;
/** For a tunnel that may not write into the common folder, so that its calls cannot be counted. */
const UNCOUNTED_CALLS = 4;
/** The place of a call that ended is kept this long: the next connection then needs no lock. */
const KEEP_MS = 250;
/** The others hold the lock for some reads of a file. */
const LOCK_LIMIT_MS = 2_000;
/** Killed tunnels leave their number behind; finding them takes a while. */
const DEAD_LOOK_MS = 10_000;
const COUNT_FILE = "direct-calls";
const COUNT_MODE = 0o644;
const MAX_COUNT_BYTES = 100;

/** @param grantPages xen_gntalloc.limit of this machine */
export function callLimit(grantPages: number): number {
  const share = Math.floor(SHARE * Math.floor(grantPages / PAGES_OF_CALL));
  return Math.max(1, Math.min(MOST_CALLS, share));
}

export interface CallBudget {
  /** Of all tunnels together. */
  readonly limit: number;
  /** @returns whether there is a place for one call more */
  take(): Promise<boolean>;
  give(): void;
  /** Takes the number back. */
  close(): Promise<void>;
}

/** Of a tunnel that has no folder among those of all. */
export function uncountedBudget(): CallBudget {
  let used = 0;
  return {
    limit: UNCOUNTED_CALLS,
    take: () => Promise.resolve(used < UNCOUNTED_CALLS && (used++, true)),
    give: () => void used--,
    close: () => Promise.resolve(),
  };
}

export interface CallBudgetOptions {
  /** Has the folders of all tunnels. */
  readonly runFolder: string;
  /** The name of this one's, which exists and holds its lock. */
  readonly ownFolder: string;
  /** In each folder: held by the tunnel while it lives. */
  readonly lockFile: string;
  readonly limit: number;
  readonly clock: Clock;
}

export function createCallBudget(options: CallBudgetOptions): CallBudget {
  const { runFolder, ownFolder, limit, clock } = options;
  const countFile = `${runFolder}/${ownFolder}/${COUNT_FILE}`;
  let [used, reserved] = [0, 0];
  let queue: Promise<unknown> = Promise.resolve();
  let lower: (() => void) | null = null;
  const others = createOthers(options);

  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const done = queue.then(run);
    queue = done.catch(() => {});
    return done;
  };
  const write = async (count: number): Promise<void> => {
    await writeAtomically(countFile, `${count}\n`, { mode: COUNT_MODE });
    reserved = count;
  };
  const reserve = async (): Promise<boolean> => {
    if (used < reserved) return used++, true;
    using lock = await Deno.open(runFolder, { read: true });
    if (!await within(LOCK_LIMIT_MS, lock.lock(true))) return false;
    if (await others.count(limit - used - 1) > limit - used - 1) return false;
    await write(used + 1);
    return used++, true;
  };
  return {
    limit,
    take: () => inTurn(reserve),
    give() {
      used--;
      lower ??= clock.after(KEEP_MS, () => {
        lower = null;
        inTurn(async () => {
          if (reserved > used) await write(used);
        }).catch(() => {}); // the folder is gone, and the number with it
      });
    },
    async close() {
      lower?.();
      lower = null;
      await queue;
      await ifPresent(Deno.remove(countFile));
    },
  };
}

interface Others {
  /** The calls of all other tunnels; those that were killed are looked for if it is over `most`. */
  count(most: number): Promise<number>;
}

function createOthers({ runFolder, ownFolder, lockFile, clock }: CallBudgetOptions): Others {
  /** Folders of tunnels that were killed, by the file that they left. */
  let dead = new Map<string, number | null>();
  let lookedAtMs = -Infinity;

  /** Each number, its folder, and which file it is. */
  const counts = async () => {
    const found: { readonly name: string; readonly count: number; readonly file: number | null }[] =
      [];
    for await (const { name, isDirectory } of Deno.readDir(runFolder)) {
      if (!isDirectory || name === ownFolder) continue;
      const path = `${runFolder}/${name}/${COUNT_FILE}`;
      const info = await ifPresent(Deno.lstat(path));
      const text = await ifPresent(readSmallText(path, MAX_COUNT_BYTES)) ?? "";
      if (info !== undefined) found.push({ name, count: parseInt(text, 10) || 0, file: info.ino });
    }
    return found.filter(({ name, file }) => !dead.has(name) || dead.get(name) !== file);
  };
  const look = async (): Promise<void> => {
    lookedAtMs = clock.nowMs();
    dead = new Map();
    for (const { name, file } of await counts()) {
      const lives = await isLocked(`${runFolder}/${name}/${lockFile}`);
      if (lives !== true) dead.set(name, file);
    }
  };
  const sum = async (): Promise<number> =>
    (await counts()).reduce((sum, { count }) => sum + count, 0);
  return {
    async count(most) {
      const all = await sum();
      if (all <= most || !canTryLock() || clock.nowMs() < lookedAtMs + DEAD_LOOK_MS) return all;
      await look();
      return await sum();
    },
  };
}
