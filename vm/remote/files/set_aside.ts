// SPDX-License-Identifier: GPL-2.0-or-later
/** Moves anything that is not a request out of the way. @module */

import { PRIVATE_FOLDER } from "../../../shared/io/private_modes.ts";
import type { Layout } from "./layout.ts";
import { ifPresentSync } from "../../../shared/io/sync_files.ts";
import { attempt } from "./local_failure.ts";
import { after } from "./timer.ts";

/** Enough to find out what a broken client wrote; the oldest are removed. */
export const MAX_REFUSED_ENTRIES = 100;
/** Long enough for the watch to go on. */
const HOLD_FIFO_MS = 1_000;

/** Moves a queue entry into refused/. @param label its new name, an id or another plain word */
export function setAside({ queue, refused }: Layout, path: string, label: string): void {
  const info = ifPresentSync(() => Deno.lstatSync(refused));
  if (info !== undefined && !info.isDirectory) { // a link would lead out of the queue
    Deno.renameSync(refused, `${queue}/${withRandom(".refused")}`);
  }
  Deno.mkdirSync(refused, { recursive: true, mode: PRIVATE_FOLDER });
  releaseWatch(path);
  ifPresentSync(() => Deno.renameSync(path, `${refused}/${withRandom(label)}`));
  const names = Array.from(Deno.readDirSync(refused), ({ name }) => name).sort();
  for (const name of names.slice(0, Math.max(0, names.length - MAX_REFUSED_ENTRIES))) {
    attempt(() =>
      // what cannot be removed is in nobody's way here
      void ifPresentSync(() => Deno.removeSync(`${refused}/${name}`, { recursive: true }))
    );
  }
}

/** Two entries may have had the same name. */
function withRandom(label: string): string {
  return `${label}.${crypto.randomUUID().slice(0, 8)}`;
}

/** A FIFO, a socket, a device: things that must not simply be opened. */
export function isSpecial(
  { isFile, isDirectory, isSymlink }: Pick<Deno.DirEntry, "isFile" | "isDirectory" | "isSymlink">,
): boolean {
  return !isFile && !isDirectory && !isSymlink;
}

/**
 * Deno's watch may stand at this FIFO, waiting for a writer (see folder_watch.ts). Opening both
 * ends does not wait, and lets it go on; once the FIFO has moved, it is not opened again.
 */
function releaseWatch(path: string): void {
  const info = ifPresentSync(() => Deno.lstatSync(path));
  if (info?.isFifo !== true) return;
  attempt(() => {
    const fifo = ifPresentSync(() => Deno.openSync(path, { read: true, write: true }));
    if (fifo !== undefined) after(HOLD_FIFO_MS, () => fifo.close());
  });
}
