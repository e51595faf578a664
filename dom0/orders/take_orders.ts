// SPDX-License-Identifier: GPL-2.0-or-later
/** Takes the orders that are put into a folder, each once, and answers each beside it. @module */

import { PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import { watchFolders } from "../../shared/io/folder_watch.ts";
import { errorText } from "../../shared/cli/program.ts";
import {
  ifPresentSync,
  isPresent,
  removeIfPresent,
  replaceFile,
} from "../../shared/io/sync_files.ts";
import { orderName } from "./order_file.ts";

export interface OrderFolder {
  readonly folder: string;
  readonly maxOrderBytes: number;
  /** 1: one after another. */
  readonly mostAtOnce: number;
  /** The order's text in, the answer out; must not throw. */
  readonly answer: (text: string) => Promise<object>;
}

/** @returns ends the taking. Orders that lie there already were given to another daemon. */
export function takeOrders({ folder, maxOrderBytes, mostAtOnce, answer }: OrderFolder): () => void {
  if (isPresent(folder)) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  let running = 0;
  let isClosed = false;
  const say = (error: unknown): void => console.error(`orders: ${errorText(error)}`);
  const takeOne = (name: string): void => {
    const text = takeText(`${folder}/${name}.order`, maxOrderBytes);
    if (text === null) return;
    running++;
    void answer(text)
      .then((said) => replaceFile(`${folder}/${name}.answer`, `${JSON.stringify(said)}\n`)).catch(
        say,
      )
      .finally(() => {
        running--;
        takeAll(); // some may have waited for that
      });
  };
  const takeAll = (): void => {
    for (const { name: fileName } of isClosed ? [] : filesIn(folder)) {
      const name = orderName(fileName);
      if (name === null || running >= mostAtOnce) continue;
      try {
        takeOne(name);
      } catch (error) {
        say(error); // the next one may be good
      }
    }
  };
  const watch = watchFolders([folder], ({ kind }) => {
    if (kind !== "opened" && kind !== "gone") takeAll();
  });
  return () => {
    isClosed = true;
    watch.close();
  };
}

/** None, if somebody removed the folder: no order comes any more. */
function filesIn(folder: string): readonly Deno.DirEntry[] {
  return ifPresentSync(() => [...Deno.readDirSync(folder)]) ?? [];
}

/**
 * Removed before it is done: whatever happens, it is not done twice.
 * @returns null if it was taken back, or is nothing that was written here as an order
 */
function takeText(path: string, maxBytes: number): string | null {
  return ifPresentSync(() => {
    const { isFile, uid, size } = Deno.lstatSync(path);
    const isOurs = isFile && uid === Deno.uid() && size <= maxBytes;
    const text = isOurs ? Deno.readTextFileSync(path) : null;
    return removeIfPresent(path) ? text : null;
  }) ?? null;
}
