// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon does for the web admin, from now until it is closed. @module */

import type { Clock } from "../../shared/io/clock.ts";
import type { Parking } from "../approval/parking.ts";
import type { CancelRequest } from "../judge/cancel_request.ts";
import type { Admission } from "../judge/admission.ts";
import type { PlanBoard } from "../plans/plan_board.ts";
import { createQubeFacts } from "../policy/qube_facts.ts";
import { qvmLsFacts } from "../policy/qvm_ls.ts";
import type { Audit } from "../record/audit_log.ts";
import type { GroupChoice } from "../run/group_choice.ts";
import type { StopReason } from "../run/runner.ts";
import type { Paths } from "../settings/paths.ts";
import type { Settings } from "../settings/settings.ts";
import { createUndoStore } from "../undo/undo_store.ts";
import type { Undoing } from "../undo/undoing.ts";
import { createAnswers } from "./answer_order.ts";
import { createOperatorRuns } from "./operator_runs.ts";
import { createOperatorRun } from "./run_as_operator.ts";
import { createRunFiles } from "./run_output.ts";
import { takeAdminOrders } from "./take_admin_orders.ts";

export interface AdminOrdersOptions {
  readonly paths: Paths;
  readonly settings: () => Settings;
  readonly audit: Audit;
  readonly groups: GroupChoice;
  readonly undoing: Undoing;
  readonly plans: PlanBoard;
  readonly parking: Parking | null;
  readonly clock: Pick<Clock, "dateMs">;
  readonly admission: Pick<Admission, "closed">;
  readonly cancel: CancelRequest;
}

export interface OpenAdmin {
  /** Ends what runs for the operator. */
  stopAll(reason: StopReason): void;
  /** The ids of what runs for the operator. */
  running(): readonly string[];
  /** No more orders are taken. Resolves when nothing runs. */
  close(): Promise<void>;
}

export function openAdmin(options: AdminOrdersOptions): OpenAdmin {
  const { paths, settings, audit, groups, undoing, plans, parking, admission, cancel } = options;
  const { dateMs } = options.clock;
  const { workFolder } = paths;
  const runs = createOperatorRuns({ groups, settings, workFolder, dateMs, admission });
  const files = createRunFiles(paths.runsFolder);
  const endOrders = takeAdminOrders(
    paths.adminFolder,
    createAnswers({
      paths,
      parking,
      cancel,
      runs,
      audit,
      undo: {
        store: createUndoStore({ folder: paths.undoFolder, dateMs }),
        tools: undoing.tools,
      },
      run: createOperatorRun({ runs, files, audit, keeper: undoing.keeper }),
      plan: { runs, audit, undoing, board: plans },
      policy: {
        folder: paths.policyFolder,
        settings,
        dateMs,
        facts: createQubeFacts(qvmLsFacts(paths.qubesStore)),
      },
    }),
  );
  return {
    stopAll: runs.stopAll,
    running: runs.running,
    async close() {
      endOrders();
      await runs.close("stopping");
    },
  };
}
