// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls back when something in a folder changes, a moment later, once for many changes. @module */

import { basename } from "@std/path/posix/basename";
import { UNRELIABLE_AFTER, watchFolders } from "../../shared/io/folder_watch.ts";

/** Events within this time are one: an editor's save is several. */
const SETTLE_MS = 20;

export interface Changes {
  readonly names: ReadonlySet<string>;
  /** There may be more than the names. */
  readonly incomplete: boolean;
}

/** @returns ends the watch; does nothing where the folder does not exist */
export function watchSettled(folder: string, onChange: (changes: Changes) => void): () => void {
  let names = new Set<string>();
  let events = 0;
  let incomplete = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = (): void => {
    const changes = { names, incomplete: incomplete || events >= UNRELIABLE_AFTER };
    [names, events, incomplete, timer] = [new Set(), 0, false, undefined];
    onChange(changes);
  };
  try {
    const watch = watchFolders([folder], ({ paths, kind }) => {
      events++;
      if (kind === "opened") return; // by this daemon itself, as a rule
      if (kind === "unknown") incomplete = true;
      for (const path of paths) names.add(basename(path));
      timer ??= setTimeout(tell, SETTLE_MS);
    });
    return () => {
      clearTimeout(timer);
      watch.close();
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return () => {};
    throw error;
  }
}
