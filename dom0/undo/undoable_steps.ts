// SPDX-License-Identifier: GPL-2.0-or-later
/** The steps of an operation's run, with what an undo needs kept around them. @module */

import type { Recognised } from "../operations/recognise.ts";
import type { Ended } from "../run/runner.ts";
import { argvStep, type SequenceStep, StepRefused } from "../run/sequence.ts";
import { type Asked, keepForUndo, NotKept, type UndoKeeper } from "./keep_for_undo.ts";

/**
 * Before the first step what is there is on the disk, else nothing runs. However the operation ends,
 * what is there then is added: a step that fails may have done a part.
 */
export function undoableSteps(
  recognised: Recognised,
  asked: Asked,
  keeper: UndoKeeper,
): readonly SequenceStep[] {
  const steps = recognised.argvs.map(argvStep);
  const kept = keepForUndo(recognised, asked, keeper);
  if (kept === null) return steps;
  return steps.map((step, at) => ({
    async begin(print) {
      if (at === 0) await kept.begin().catch(refuseUnlessOurs);
      return await step.begin(print);
    },
    async end(ended) {
      const isLast = at === steps.length - 1 || !isGood(ended);
      if (isLast) await kept.end(ended.exitCode);
    },
  }));
}

function refuseUnlessOurs(error: unknown): never {
  throw error instanceof NotKept ? new StepRefused(error.message) : error;
}

function isGood({ kind, exitCode }: Ended): boolean {
  return kind === "done" && exitCode === 0;
}
