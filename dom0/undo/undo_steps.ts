// SPDX-License-Identifier: GPL-2.0-or-later
/** Takes back steps of a plan that failed, as far as that is possible. @module */

import { newRequestId } from "../../shared/io/new_request_id.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import { runUndo, type UndoTools } from "./run_undo.ts";
import type { UndoStore } from "./undo_store.ts";
import { wayBack } from "./way_back.ts";

export interface StepsUndo {
  readonly store: UndoStore;
  readonly tools: UndoTools;
  readonly audit: Audit;
  readonly dateMs: () => number;
}

export interface PlanToUndo {
  readonly vm: string;
  readonly id: string;
  readonly steps: readonly number[];
  /** Asked before each step of the way back. */
  readonly mayGoOn: () => boolean;
}

/** What cannot be taken back stays, and does not keep the rest from it. @returns those that are undone */
export async function undoSteps(
  { vm, id, steps, mayGoOn }: PlanToUndo,
  { store, tools, audit, dateMs }: StepsUndo,
): Promise<readonly number[]> {
  const ofPlan = async () => (await store.find(id)).filter((record) => record.vm === vm);
  const possible = (await ofPlan()).filter((record) =>
    steps.includes(record.step ?? 0) && wayBack(record).kind === "steps"
  );
  const undoId = newRequestId(dateMs());
  const about = { vm, id, undo_id: undoId };
  audit.record("plan-undo", { ...about, steps: possible.map(({ step }) => String(step)) });
  await audit.sync();
  const end = await runUndo(possible, { store, tools, id: undoId, dateMs, onStep: mayGoOn });
  const undone = (await ofPlan()).filter(({ status }) => status === "undone")
    .flatMap(({ step }) => step === null ? [] : [step]);
  recordQuietly(audit, "plan-undo-ended", { ...about, end: end.kind, undone: undone.map(String) });
  return undone;
}
