// SPDX-License-Identifier: GPL-2.0-or-later
/** Asks something of the daemon by a file, and waits for the answer (dom0/admin_orders). @module */

import { ifPresent, readSmallText, writeAtomically } from "../../../shared/io/files.ts";
import { type FolderWatch, watchFolders } from "../../../shared/io/folder_watch.ts";
import type { JsonValue } from "../../operations/operation.ts";
import { MAX_ANSWER_BYTES, type OrderAnswer } from "../../admin_orders/order_fields.ts";
import { Dom0Error } from "./dom0_channel.ts";

export interface DaemonCaller {
  /** @throws {Dom0Error} what the daemon says, or that it does not answer */
  call(order: Readonly<Record<string, unknown>>, limitMs?: number): Promise<JsonValue>;
  close(): void;
}

/** A daemon that runs takes an order at once; what it does may take longer. */
const TAKEN_MS = 3_000;
const USUAL_LIMIT_MS = 60_000;
/** A watch may lose an event: so often each answer is looked for. */
const LOOK_MS = 500;

const NOT_RUNNING = new Dom0Error(
  "The daemon does not answer. In dom0's terminal: systemctl status qvm-remote-dom0",
);

export function createDaemonCaller(folder: string): DaemonCaller {
  const waiting = new Map<string, () => void>();
  let watch: FolderWatch | null = null;
  const ensureWatch = (): void => {
    watch ??= watchFolders([folder], ({ paths, folderGone }) => {
      for (const path of paths) waiting.get(path)?.();
      if (!folderGone) return;
      watch?.close();
      watch = null; // a daemon that starts makes it anew
    });
  };
  return {
    async call(order, limitMs = USUAL_LIMIT_MS) {
      const base = `${folder}/${crypto.randomUUID().replaceAll("-", "")}`;
      const answered = Promise.withResolvers<void>();
      waiting.set(`${base}.answer`, answered.resolve);
      const taken = setTimeout(() => void lookTaken(base, answered), TAKEN_MS);
      const late = setTimeout(
        () => answered.reject(new Dom0Error("The daemon has not answered in time. See the log.")),
        limitMs,
      );
      const look = setInterval(() => void lookAnswered(base, answered), LOOK_MS);
      try {
        await putOrder(base, order, ensureWatch);
        await answered.promise;
        return resultOf(await readSmallText(`${base}.answer`, MAX_ANSWER_BYTES));
      } finally {
        clearTimeout(taken);
        clearTimeout(late);
        clearInterval(look);
        waiting.delete(`${base}.answer`);
        await ifPresent(Deno.remove(`${base}.order`)); // not taken: it must not be done later
        await ifPresent(Deno.remove(`${base}.answer`));
      }
    },
    close: () => watch?.close(),
  };
}

async function putOrder(
  base: string,
  order: Readonly<Record<string, unknown>>,
  ensureWatch: () => void,
): Promise<void> {
  try {
    ensureWatch();
    await writeAtomically(`${base}.order`, `${JSON.stringify(order)}\n`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw NOT_RUNNING;
    throw error;
  }
}

async function lookTaken(base: string, answered: PromiseWithResolvers<void>): Promise<void> {
  if (await ifPresent(Deno.lstat(`${base}.order`)) !== undefined) answered.reject(NOT_RUNNING);
}

async function lookAnswered(base: string, answered: PromiseWithResolvers<void>): Promise<void> {
  if (await ifPresent(Deno.lstat(`${base}.answer`)) !== undefined) answered.resolve();
}

function resultOf(text: string): JsonValue {
  const answer: OrderAnswer = JSON.parse(text); // the daemon's own file, in a folder of root's
  if (answer.ok) return answer.value;
  throw new Dom0Error(answer.text);
}
