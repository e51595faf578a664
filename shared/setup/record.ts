// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a setup program changed, and what each place held before: enough to take it back. An entry
 * is on the disk before its change is begun, so an interruption loses nothing; whether the change
 * happened is checked at the next run. Each program says what its places are.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { durableFolder, durableRemove, durableWrite } from "../io/durable.ts";
import { ifPresent, readPrivate } from "../io/files.ts";
import { errorText, UserError } from "../cli/program.ts";

/** null: as if nobody had set it. */
export type Value = string | null;

export interface Entry<F> {
  readonly fact: F;
  /** Before setup first touched it. */
  readonly from: Value;
  readonly to: Value;
}

/** What a program's record is made of. */
export interface RecordKind<F> {
  readonly program: string;
  /** Names the place, whatever its value: two facts with one key are the same place. */
  readonly keyOf: (fact: F) => string;
  /** Looks at a fact that was read. @throws {Error} if it is none */
  readonly check: (fact: Record<string, unknown>) => void;
}

export interface RecordFile<F> {
  readonly program: string;
  find(entries: readonly Entry<F>[], fact: F): Entry<F> | undefined;
  /** The record with one more change. The value before a place's first change is kept. */
  withChange(entries: readonly Entry<F>[], change: Entry<F>): readonly Entry<F>[];
  without(entries: readonly Entry<F>[], fact: F): readonly Entry<F>[];
  /** @throws {UserError} if it is not one of ours */
  read(path: string): Promise<readonly Entry<F>[]>;
  parse(text: string): readonly Entry<F>[];
  /** With nothing in it, there is no record. */
  write(path: string, entries: readonly Entry<F>[]): Promise<void>;
}

/** Of a record's file. */
export const RECORD_VERSION = 1;
const MAX_RECORD_BYTES = 1024 * 1024;

export function recordFile<F>({ program, keyOf, check }: RecordKind<F>): RecordFile<F> {
  const parse = (text: string): readonly Entry<F>[] => {
    const record = JSON.parse(text);
    if (record?.format !== RECORD_VERSION) throw new Error(`format ${RECORD_VERSION} is known`);
    if (!Array.isArray(record.entries)) throw new Error("no entries");
    for (const { fact, from, to } of record.entries) {
      if (typeof fact !== "object" || fact === null) throw new Error("a bad fact");
      check(fact);
      for (const value of [from, to]) {
        if (value !== null && typeof value !== "string") throw new Error("a value is no text");
      }
      for (const field of Object.values(fact)) {
        if (!["string", "number", "boolean"].includes(typeof field)) throw new Error("a bad fact");
      }
    }
    return record.entries;
  };
  const find: RecordFile<F>["find"] = (entries, fact) => {
    const key = keyOf(fact);
    return entries.find((entry) => keyOf(entry.fact) === key);
  };
  return {
    program,
    parse,
    find,
    withChange(entries, change) {
      const earlier = find(entries, change.fact);
      if (earlier === undefined) return [...entries, change];
      return entries.map((entry) => entry === earlier ? { ...change, from: earlier.from } : entry);
    },
    without(entries, fact) {
      const key = keyOf(fact);
      return entries.filter((entry) => keyOf(entry.fact) !== key);
    },
    async read(path) {
      const text = await ifPresent(readPrivate(path, MAX_RECORD_BYTES));
      if (text === undefined) return [];
      try {
        return parse(text);
      } catch (error) {
        throw new UserError(`${path} is not a record of ${program}: ${errorText(error)}`, [
          "move it away if it is of no use; what was changed then stays changed",
        ]);
      }
    },
    async write(path, entries) {
      if (entries.length === 0) return void await durableRemove(path);
      await durableFolder(dirname(path), 0o755);
      const text = JSON.stringify({ format: RECORD_VERSION, entries }, null, 1) + "\n";
      await durableWrite(path, text);
    },
  };
}
