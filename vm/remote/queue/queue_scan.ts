// SPDX-License-Identifier: GPL-2.0-or-later
/** Reads the folders when watching them is not enough, and no more often than that. @module */

import { spanMs } from "../../../shared/io/clock.ts";
import { UNRELIABLE_AFTER } from "../../../shared/io/folder_watch.ts";
import type { Layout } from "../files/layout.ts";
import { ifPresentSync } from "../../../shared/io/sync_files.ts";
import { isSpecial } from "../files/set_aside.ts";
import { after } from "../files/timer.ts";

/** After a burst of changes the folder is left alone for this long, then read once. */
const SETTLE_MS = 100;
/** Reading may take at most one part in this many of the time. */
const DUTY_CYCLE = 20;

export interface RescanPorts {
  readonly layout: Layout;
  readonly onStart: () => void;
  readonly onPending: (untrustedName: string) => void;
  readonly onCancel: (untrustedName: string) => void;
  /** A FIFO, which the watch must not meet, or the like. */
  readonly onSpecial: (path: string, untrustedName: string) => void;
  readonly onDone: () => void;
  readonly fail: (error: unknown) => void;
}

export interface Rescan {
  /** Reads both folders; at once, unless a read is under way. */
  now(): void;
  /** Counts a change that was watched, and plans a read when some may have been missed. */
  count(surelyMissed: boolean): void;
  /** Reads both folders if one has changed since the last time: the watch may be stuck. */
  ifChanged(): void;
  close(): void;
}

export function createRescan(ports: RescanPorts): Rescan {
  const { pending, cancel } = ports.layout;
  let changes = 0;
  let unplan: (() => void) | undefined;
  let reading = false;
  let readMs = 0;
  let closed = false;
  let stamp = "";

  const readFolder = async (folder: string, take: (name: string) => void): Promise<void> => {
    for await (const entry of Deno.readDir(folder)) {
      if (closed) return;
      if (isSpecial(entry)) ports.onSpecial(`${folder}/${entry.name}`, entry.name);
      else take(entry.name);
    }
  };
  const read = async (): Promise<void> => {
    unplan = undefined;
    if (reading) return plan();
    reading = true;
    changes = 0;
    const startedAtMs = spanMs();
    try {
      stamp = stampOf([pending, cancel]);
      ports.onStart();
      await readFolder(cancel, ports.onCancel);
      await readFolder(pending, ports.onPending);
      if (!closed) ports.onDone();
    } catch (error) {
      if (!closed) ports.fail(error);
    } finally {
      readMs = spanMs() - startedAtMs;
      reading = false;
    }
  };
  const plan = (): void => {
    unplan ??= after(Math.max(SETTLE_MS, DUTY_CYCLE * readMs), () => void read());
  };
  return {
    now: () => void read(),
    count(surelyMissed) {
      changes++;
      if (surelyMissed || changes >= UNRELIABLE_AFTER) plan();
    },
    ifChanged() {
      if (stampOf([pending, cancel]) !== stamp) plan();
    },
    close() {
      closed = true;
      unplan?.();
    },
  };
}

/** Differs once an entry has come or gone. */
function stampOf(folders: readonly string[]): string {
  return folders.map((folder) =>
    ifPresentSync(() => Deno.statSync(folder))?.mtime?.getTime() ?? "absent"
  ).join();
}
