// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Deno.watchFs without its traps (tried on Deno 2.4.2 and 2.9.6):
 *
 * - a file name that is not UTF-8 makes next() throw, and the watch is still good;
 * - with 16 changes waiting (2.4.2), or some more (2.9.6), further ones are dropped, on 2.4.2
 *   silently. At least that many are delivered after the loss, so if you read the folder yourself
 *   once after UNRELIABLE_AFTER changes, you have missed nothing;
 * - Deno opens what has changed, to see whether it lies in the folder. A symlink that leads out of
 *   it is not reported; a FIFO stops the watch until somebody opens the other end
 *   (vm/remote/files/set_aside.ts does). So never rely on the watch alone;
 * - with a relative path, changes are lost: paths must be absolute.
 *
 * @module
 */

/** See above. */
export const UNRELIABLE_AFTER = 16;

export interface FolderChange {
  /** What changed; empty if that is not known. */
  readonly paths: readonly string[];
  /** A watched folder itself was moved or removed: the watch is over. */
  readonly folderGone: boolean;
  /** "opened": or closed, without a sign of a change. */
  readonly kind: "gone" | "here" | "opened" | "unknown";
}

export interface FolderWatch {
  close(): void;
}

/** @param onChange must not throw */
export function watchFolders(
  folders: readonly string[],
  onChange: (change: FolderChange) => void,
): FolderWatch {
  const watcher = Deno.watchFs([...folders], { recursive: false });
  let closed = false;
  void (async () => {
    while (!closed) {
      const change = await nextChange(watcher, folders);
      if (change === null) return;
      if (closed) return;
      onChange(change);
      if (change.folderGone) return;
    }
  })();
  return {
    close() {
      if (closed) return;
      closed = true;
      watcher.close();
    },
  };
}

const KINDS: ReadonlyMap<string, FolderChange["kind"]> = new Map([
  ["remove", "gone"],
  ["access", "opened"],
]);

async function nextChange(
  watcher: Deno.FsWatcher,
  folders: readonly string[],
): Promise<FolderChange | null> {
  try {
    const { done, value } = await watcher[Symbol.asyncIterator]().next();
    if (done) return null;
    return {
      paths: value.paths,
      folderGone: (value.kind === "remove" || value.kind === "rename") &&
        value.paths.some((path) => folders.includes(path)),
      kind: value.flag === "rescan" ? "unknown" : KINDS.get(value.kind) ?? "here",
    };
  } catch (error) {
    const oddName = error instanceof TypeError; // the only sign of a name that is not UTF-8
    return { paths: [], folderGone: !oddName, kind: "unknown" };
  }
}
