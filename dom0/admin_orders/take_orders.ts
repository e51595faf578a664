// SPDX-License-Identifier: GPL-2.0-or-later
/** The orders of the web admin, as the daemon takes them: each once, side by side. @module */

import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../shared/io/files.ts";
import { watchFolders } from "../../shared/io/folder_watch.ts";
import { errorText } from "../../shared/io/program.ts";
import { isPresent, removeIfPresent } from "../../shared/io/sync_files.ts";
import {
  MAX_ORDER_BYTES,
  ORDER_FILE,
  type OrderAnswer,
  type OrderFields,
  readOrder,
} from "./order_fields.ts";
import type { JsonValue } from "../operations/operation.ts";

/** @throws what it throws is told to whoever gave the order */
export type DoOrder = (order: OrderFields) => Promise<JsonValue>;

/** More wait: a page asks for a dozen things, an order may take an hour. */
const MOST_AT_ONCE = 64;

/** @returns ends the taking. Orders that lie there already were given to another daemon. */
export function takeAdminOrders(folder: string, doOrder: DoOrder): () => void {
  if (isPresent(folder)) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  let doing = 0;
  let isClosed = false;
  const takeAll = (): void => {
    for (const { name } of isClosed ? [] : Deno.readDirSync(folder)) {
      const id = ORDER_FILE.exec(name)?.[1];
      if (id === undefined || doing >= MOST_AT_ONCE) continue;
      const text = takeText(`${folder}/${name}`);
      if (text === null) continue;
      doing++;
      void answer(text, doOrder).then((answer) => put(`${folder}/${id}`, answer))
        .catch((error) => console.error(`admin orders: ${errorText(error)}`))
        .finally(() => {
          doing--;
          takeAll();
        });
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

/** Removed before it is done: whatever happens, it is not done twice. null: it is none of ours. */
function takeText(path: string): string | null {
  const { isFile, uid, size } = Deno.lstatSync(path);
  const isOurs = isFile && uid === Deno.uid() && size <= MAX_ORDER_BYTES;
  const text = isOurs ? Deno.readTextFileSync(path) : null;
  return removeIfPresent(path) ? text : null;
}

async function answer(text: string, doOrder: DoOrder): Promise<OrderAnswer> {
  try {
    return { ok: true, value: await doOrder(readOrder(text)) };
  } catch (error) {
    return { ok: false, text: errorText(error) };
  }
}

function put(base: string, answer: OrderAnswer): void {
  Deno.writeTextFileSync(`${base}.new`, `${JSON.stringify(answer)}\n`, { mode: PRIVATE_FILE });
  Deno.renameSync(`${base}.new`, `${base}.answer`);
}
