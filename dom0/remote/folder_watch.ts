// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls back when something in a folder changes, without looking by itself. @module */

/** Events within this time are one: an editor's save is several. */
const SETTLE_MS = 20;

/**
 * @param onChange gets the changed names
 * @returns ends the watch; does nothing where the folder does not exist
 */
export function watchFolder(
  folder: string,
  onChange: (names: ReadonlySet<string>) => void,
): () => void {
  let watcher: Deno.FsWatcher;
  try {
    watcher = Deno.watchFs(folder, { recursive: false });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return () => {};
    throw error;
  }
  let names = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = (): void => {
    const changed = names;
    names = new Set();
    timer = undefined;
    onChange(changed);
  };
  (async () => {
    for await (const event of watcher) {
      if (event.kind === "access") continue;
      for (const path of event.paths) names.add(path.slice(path.lastIndexOf("/") + 1));
      timer ??= setTimeout(tell, SETTLE_MS);
    }
  })();
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
