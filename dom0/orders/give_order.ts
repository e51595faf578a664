// SPDX-License-Identifier: GPL-2.0-or-later
/** Gives the running daemon orders by files of a folder, and waits for what comes of each. @module */

import { exists, ifPresent, readSmallText, writeAtomically } from "../../shared/io/files.ts";
import { type FolderWatch, watchFolders } from "../../shared/io/folder_watch.ts";
import { newOrderName } from "./order_file.ts";

export interface OrderLimits {
  /** A daemon that runs takes an order as soon as it has a hand free. */
  readonly takenMs: number;
  readonly answeredMs: number;
  readonly maxAnswerBytes: number;
}

export type Given =
  | { readonly outcome: "answered"; readonly text: string }
  /** No daemon takes orders here. The order is taken back and will never be done. */
  | { readonly outcome: "not taken" }
  /** It was taken; the daemon may still be doing it. */
  | { readonly outcome: "late" };

type Outcome = Given["outcome"];

export interface OrderGiver {
  give(order: object, limits: OrderLimits): Promise<Given>;
  close(): void;
}

/** A watch may lose an event: this often an answer is looked for anyway. */
const LOOK_MS = 500;

export function createOrderGiver(folder: string): OrderGiver {
  const waiting = new Map<string, () => void>();
  let watch: FolderWatch | null = null;
  const ensureWatch = (): void => {
    watch ??= watchFolders([folder], ({ paths, folderGone }) => {
      for (const path of paths) waiting.get(path)?.();
      if (!folderGone) return;
      watch?.close();
      watch = null; // a daemon that starts makes the folder anew
    });
  };
  return {
    async give(order, limits) {
      const base = `${folder}/${newOrderName()}`;
      const ended = Promise.withResolvers<Outcome>();
      waiting.set(`${base}.answer`, () => ended.resolve("answered"));
      let stopTimers = (): void => {};
      try {
        if (!await isPut(base, order, ensureWatch)) return { outcome: "not taken" };
        stopTimers = startTimers(base, limits, ended); // from when it can be taken
        const outcome = await ended.promise;
        if (outcome !== "answered") return { outcome };
        const text = await ifPresent(readSmallText(`${base}.answer`, limits.maxAnswerBytes));
        return text === undefined ? { outcome: "late" } : { outcome, text };
      } finally {
        stopTimers();
        waiting.delete(`${base}.answer`);
        await isTakenBack(base);
        await ifPresent(Deno.remove(`${base}.answer`));
      }
    },
    close: () => watch?.close(),
  };
}

/** When to give up, and looking for the answer beside the watch. @returns stops them */
function startTimers(
  base: string,
  { takenMs, answeredMs }: OrderLimits,
  { resolve, reject }: PromiseWithResolvers<Outcome>,
): () => void {
  const takeBack = async (otherwise?: Outcome): Promise<void> => {
    if (await isTakenBack(base)) resolve("not taken");
    else if (otherwise !== undefined) resolve(otherwise);
  };
  const look = async (): Promise<void> => {
    if (await exists(`${base}.answer`)) resolve("answered");
  };
  const taken = setTimeout(() => takeBack().catch(reject), takenMs);
  const late = setTimeout(() => takeBack("late").catch(reject), answeredMs);
  const looking = setInterval(() => look().catch(reject), LOOK_MS);
  return () => {
    clearTimeout(taken);
    clearTimeout(late);
    clearInterval(looking);
  };
}

/** Whether there is a folder to put it into: a running daemon makes it. */
async function isPut(base: string, order: object, ensureWatch: () => void): Promise<boolean> {
  try {
    ensureWatch();
    await writeAtomically(`${base}.order`, `${JSON.stringify(order)}\n`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether it still lay there: then the daemon will never do it. */
async function isTakenBack(base: string): Promise<boolean> {
  return await ifPresent(Deno.remove(`${base}.order`).then(() => true)) ?? false;
}
