// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon has to do with undo: keeping what one would need, and taking back a plan that failed. @module */

import { errorText } from "../../shared/cli/program.ts";
import type { Audit } from "../record/audit_log.ts";
import type { UndoKeeper } from "./keep_for_undo.ts";
import type { UndoTools } from "./run_undo.ts";
import { type PlanToUndo, undoSteps } from "./undo_steps.ts";
import { createUndoStore } from "./undo_store.ts";

export interface Undoing {
  readonly keeper: UndoKeeper;
  readonly tools: UndoTools;
  /** @returns the steps that are undone */
  readonly undo: (plan: PlanToUndo) => Promise<readonly number[]>;
  /** What is kept too long goes. */
  readonly forgetOld: () => void;
}

export interface UndoingOptions {
  readonly folder: string;
  readonly audit: Audit;
  readonly tools: UndoTools;
  readonly dateMs: () => number;
}

export function createUndoing({ folder, audit, tools, dateMs }: UndoingOptions): Undoing {
  const store = createUndoStore({ folder, dateMs });
  return {
    tools,
    keeper: { store, read: tools.read, dateMs },
    undo: (plan) => undoSteps(plan, { store, tools, audit, dateMs }),
    forgetOld() {
      store.forgetOld().catch((error) => console.error(`undo: ${errorText(error)}`));
    },
  };
}
