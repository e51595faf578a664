// SPDX-License-Identifier: GPL-2.0-or-later
/** What can be undone, as a page shows it: what was there, the way back, and whether it changed since. @module */

import { shellQuote } from "../../shared/protocol/command.ts";
import type { JsonValue } from "../operations/operation.ts";
import type { UndoWanted } from "../operator/undo.ts";
import type { ReadOperation } from "../run/read_operation.ts";
import { readPart } from "../undo/change_reader.ts";
import type { UndoTools } from "../undo/run_undo.ts";
import { nameOfRecord, type UndoRecord } from "../undo/undo_record.ts";
import type { UndoStore } from "../undo/undo_store.ts";
import { isSamePart, wayBack } from "../undo/way_back.ts";

/** A Qubes tool has to look at each, and people only look at the newest. */
const MOST = 40;

export interface UndoParts {
  readonly store: UndoStore;
  readonly tools: UndoTools;
}

/** Newest first. */
export async function describeUndoable({ store, tools }: UndoParts): Promise<JsonValue> {
  const records = (await store.list()).toReversed().filter(({ status }) => status !== "undone");
  const withWay = records.flatMap((record) => {
    const way = wayBack(record);
    return way.kind === "steps" ? [{ record, steps: way.steps }] : [];
  });
  return await Promise.all(
    withWay.slice(0, MOST).map(async ({ record, steps }) => ({
      id: nameOfRecord(record),
      timeMs: record.atMs,
      operation: record.operation,
      values: Object.fromEntries([...record.values].map(([name, value]) => [name, String(value)])),
      by: record.vm,
      before: record.before?.value ?? null,
      runs: steps.flatMap(({ argvs }) => argvs.map(shellQuote)),
      changedSince: await changedSince(record, tools.read),
    })),
  );
}

/** null: it is what the operation left, or nobody can say. */
async function changedSince(
  { operation, values, after }: UndoRecord,
  read: ReadOperation,
): Promise<string | null> {
  if (after === null) return null;
  const now = await readPart(operation, values, read);
  return now === null || isSamePart(after.value, now.value) ? null : JSON.stringify(now.value);
}

/** What a record's name means to who takes it back; null: nothing is kept under it. */
export async function findUndoable(
  { store }: UndoParts,
  name: string,
): Promise<UndoWanted | null> {
  const record = (await store.list()).find((one) => nameOfRecord(one) === name);
  return record === undefined ? null : { id: record.id, vm: record.vm, step: record.step };
}

/** Of each step of a plan that something is kept of: { step, isUndone, hasWay }. */
export async function describeUndoState(
  { store }: UndoParts,
  { vm, id }: Pick<UndoRecord, "vm" | "id">,
): Promise<JsonValue> {
  const records = (await store.find(id)).filter((record) => record.vm === vm);
  return records.map((record) => ({
    step: record.step,
    isUndone: record.status === "undone",
    hasWay: wayBack(record).kind === "steps",
  }));
}
