// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the files of policy were before they were changed here, so that a change can be taken back: a
 * JSON file for each of the newest 50 changes.
 *
 * @module
 */

import { durableFolder, durableRemove, durableWrite } from "../../shared/io/durable.ts";
import { ifPresent, readSmallText } from "../../shared/io/files.ts";

export interface PolicyChange {
  /** As a request's: its order is that of time. */
  readonly id: string;
  readonly atMs: number;
  /** "web s-3" */
  readonly by: string;
  readonly file: string;
  /** Its text; null: it was not there. */
  readonly before: string | null;
  /** null: it was removed. */
  readonly after: string | null;
  readonly isUndone: boolean;
}

export interface PolicyChangeStore {
  /** On the disk when it resolves. */
  put(change: PolicyChange): Promise<void>;
  /** Newest first. */
  list(): Promise<readonly PolicyChange[]>;
}

export const CHANGE_VERSION = 1;
const KEPT = 50;
/** Two texts of a policy file, each byte of which JSON may write as six. */
const MAX_CHANGE_BYTES = 4 * 1024 * 1024;
const NAME = /^[0-9]{8}-[0-9]{6}-[0-9]{1,10}-[0-9a-f]{8}\.json$/;

export function createPolicyChangeStore(folder: string): PolicyChangeStore {
  const names = async (): Promise<readonly string[]> => {
    const found = await ifPresent(Array.fromAsync(Deno.readDir(folder), ({ name }) => name)) ?? [];
    return found.filter((name) => NAME.test(name));
  };
  const list = async (): Promise<readonly PolicyChange[]> => {
    const texts = await Promise.all(
      (await names()).map((name) =>
        ifPresent(readSmallText(`${folder}/${name}`, MAX_CHANGE_BYTES))
      ),
    );
    return texts.flatMap((text) => parse(text) ?? []).toSorted((a, b) =>
      b.atMs - a.atMs || b.id.localeCompare(a.id)
    );
  };
  return {
    list,
    async put(change) {
      await durableFolder(folder);
      await durableWrite(
        `${folder}/${change.id}.json`,
        `${JSON.stringify({ version: CHANGE_VERSION, ...change })}\n`,
      );
      for (const { id } of (await list()).slice(KEPT)) await durableRemove(`${folder}/${id}.json`);
    },
  };
}

/** null: it is none. */
function parse(text: string | undefined): PolicyChange | null {
  if (text === undefined) return null;
  let read: Record<string, unknown> | null;
  try {
    read = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof read !== "object" || read?.["version"] !== CHANGE_VERSION) return null;
  const { id, atMs, by, file, before, after, isUndone } = read;
  const isWhole = typeof id === "string" && typeof atMs === "number" && typeof by === "string" &&
    typeof file === "string" && isTextOrNull(before) && isTextOrNull(after) &&
    typeof isUndone === "boolean";
  return isWhole ? { id, atMs, by, file, before, after, isUndone } : null;
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
