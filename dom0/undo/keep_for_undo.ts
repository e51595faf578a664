// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Around the run of an operation that can be undone: what is there before it runs is on the disk before
 * it starts, and what is there after it is added when it has ended.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import type { Recognised } from "../operations/recognise.ts";
import { CHANGES } from "../operations/undo.ts";
import type { ReadOperation } from "../run/read_operation.ts";
import { readPart } from "./change_reader.ts";
import type { Seen, UndoRecord } from "./undo_record.ts";
import type { UndoStore } from "./undo_store.ts";

export interface UndoKeeper {
  readonly store: Pick<UndoStore, "put">;
  readonly read: ReadOperation;
  readonly dateMs: () => number;
}

/** Whose operation it is. */
export interface Asked {
  readonly vm: string;
  readonly id: string;
  /** Of a plan, from 1 on. */
  readonly step: number | null;
}

export interface KeptForUndo {
  /**
   * Once, before its first command starts.
   *
   * @param look sees what is there; what it throws is thrown here, and nothing is kept
   * @throws {NotKept} then nothing may start
   */
  begin(look?: (before: Seen) => void): Promise<void>;
  /** Once, when it has ended. @returns what is there then */
  end(exitCode: number): Promise<Seen>;
}

/** The disk has not got what an undo would need. */
export class NotKept extends Error {
  override readonly name = "NotKept";
}

/** @returns null for an operation that cannot be undone: nothing is kept of it */
export function keepForUndo(
  { operation: { name: operation }, values }: Recognised,
  asked: Asked,
  { store, read, dateMs }: UndoKeeper,
): KeptForUndo | null {
  if (!CHANGES.has(operation)) return null;
  let record: UndoRecord | null = null;
  return {
    async begin(look = () => {}) {
      const before = await readPart(operation, values, read);
      look(before);
      record = {
        ...asked,
        atMs: dateMs(),
        operation,
        values,
        before,
        after: null,
        exitCode: null,
        status: "kept",
        stepsBack: 0,
      };
      try {
        await store.put(record);
      } catch (error) {
        throw new NotKept(`what an undo would need cannot be kept: ${errorText(error)}`);
      }
    },
    async end(exitCode) {
      if (record === null) return null;
      const after = await readPart(operation, values, read);
      try {
        await store.put({ ...record, exitCode, after });
      } catch (error) { // what was there before is kept, and that is what counts
        console.error(`undo: ${errorText(error)}`);
      }
      return after;
    },
  };
}
