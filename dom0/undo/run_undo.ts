// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Takes operations back, the newest first, step by step. Each step is itself kept, so that an undo can
 * be undone. How far it has come is on the disk before each step and after it, and an operation is
 * called undone only when what is there has been looked at and is what was there before.
 *
 * @module
 */

import type { Recognised } from "../operations/recognise.ts";
import type { ReadOperation } from "../run/read_operation.ts";
import { readPart } from "./change_reader.ts";
import type { Seen, UndoRecord } from "./undo_record.ts";
import type { UndoStore } from "./undo_store.ts";
import { isSamePart, wayBack } from "./way_back.ts";

export interface UndoTools {
  readonly read: ReadOperation;
  /** Runs one argument vector. @returns its exit code, and what it said if that is not 0 */
  readonly run: (
    argv: readonly string[],
    limitMs: number,
  ) => Promise<{ readonly code: number; readonly said: string }>;
}

export interface UndoRun {
  readonly store: Pick<UndoStore, "put">;
  readonly tools: UndoTools;
  /** The undo's own, under which its steps are kept. */
  readonly id: string;
  readonly dateMs: () => number;
  /** Before each step. @returns false: it is not to run, and the undo ends here */
  readonly onStep: (step: Recognised) => boolean;
}

export type UndoEnd =
  | { readonly kind: "undone" }
  /** A step of the way back did not end well. */
  | {
    readonly kind: "stopped";
    readonly record: UndoRecord;
    readonly step: Recognised;
    readonly why: string;
  }
  /** All steps ran, and yet it is not what it was. */
  | { readonly kind: "differs"; readonly record: UndoRecord; readonly now: Seen };

/** Who asked for what an undo does. */
export const OPERATOR = "dom0";

/** @param records of one request; steps that an undo before this one did are not done again */
export async function runUndo(records: readonly UndoRecord[], run: UndoRun): Promise<UndoEnd> {
  let count = 0;
  const newestFirst = records.filter(({ status }) => status !== "undone").toReversed();
  for (const record of newestFirst) {
    const way = wayBack(record);
    if (way.kind === "none") throw new Error(`bug: ${way.why}`);
    // So it may be, if somebody else has taken it back, or an undo was cut off behind its last step.
    if (isBack(record, await readPart(record.operation, record.values, run.tools.read))) {
      await run.store.put({ ...record, status: "undone" });
      continue;
    }
    let now: UndoRecord = { ...record, status: "undoing" };
    await run.store.put(now);
    for (const step of way.steps.slice(record.stepsBack)) {
      const why = run.onStep(step) ? await runStep(step, ++count, run) : "it was stopped";
      if (why !== null) {
        await run.store.put({ ...now, status: "partly" });
        return { kind: "stopped", record, step, why };
      }
      now = { ...now, stepsBack: now.stepsBack + 1 };
      await run.store.put(now);
    }
    const seen = await readPart(record.operation, record.values, run.tools.read);
    const isUndone = isBack(record, seen);
    await run.store.put({ ...now, status: isUndone ? "undone" : "partly" });
    if (!isUndone) return { kind: "differs", record, now: seen };
  }
  return { kind: "undone" };
}

function isBack({ before }: UndoRecord, now: Seen): boolean {
  return now !== null && before !== null && isSamePart(now.value, before.value);
}

/** @returns what went wrong; null: nothing */
async function runStep(
  { operation: { name, timeoutSeconds }, values, argvs }: Recognised,
  number: number,
  { store, tools, id, dateMs }: UndoRun,
): Promise<string | null> {
  const own: UndoRecord = {
    vm: OPERATOR,
    id,
    step: number,
    atMs: dateMs(),
    operation: name,
    values,
    before: await readPart(name, values, tools.read),
    after: null,
    exitCode: null,
    status: "kept",
    stepsBack: 0,
  };
  if (own.before !== null) await store.put(own);
  for (const argv of argvs) {
    const { code, said } = await tools.run(argv, timeoutSeconds * 1000);
    if (code !== 0) {
      if (own.before !== null) await store.put({ ...own, exitCode: code });
      return `exit code ${code}${said === "" ? "" : `: ${said}`}`;
    }
  }
  if (own.before !== null) {
    await store.put({ ...own, exitCode: 0, after: await readPart(name, values, tools.read) });
  }
  return null;
}
