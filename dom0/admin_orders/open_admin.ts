// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon does for the web admin, from now until it is closed. @module */

import type { Clock } from "../../shared/io/clock.ts";
import { createQubeFacts } from "../policy/qube_facts.ts";
import { qvmLsFacts } from "../policy/qvm_ls.ts";
import type { Audit } from "../record/audit_log.ts";
import type { GroupChoice } from "../run/group_choice.ts";
import type { Parking } from "../approval/parking.ts";
import type { Paths } from "../settings/paths.ts";
import { readOperation } from "../run/read_operation.ts";
import { createUndoStore } from "../undo/undo_store.ts";
import type { Settings } from "../settings/settings.ts";
import { createAnswers } from "./answer_order.ts";
import { createOperatorRun } from "./run_as_operator.ts";
import { takeAdminOrders } from "./take_admin_orders.ts";

export interface AdminOrdersOptions {
  readonly paths: Paths;
  readonly settings: () => Settings;
  readonly audit: Audit;
  readonly groups: GroupChoice;
  readonly parking: Parking | null;
  readonly clock: Pick<Clock, "dateMs">;
}

/** @returns ends the taking of orders */
export function openAdmin(options: AdminOrdersOptions): () => void {
  const { paths, settings, audit, groups, parking, clock } = options;
  const { workFolder } = paths;
  const { dateMs } = clock;
  const undo = {
    store: createUndoStore({ folder: paths.undoFolder, dateMs }),
    read: readOperation,
  };
  return takeAdminOrders(
    paths.adminFolder,
    createAnswers({
      paths,
      parking,
      undo,
      run: createOperatorRun({
        groups,
        audit,
        workFolder,
        settings,
        keeper: { ...undo, dateMs },
      }),
      policy: {
        folder: paths.policyFolder,
        settings,
        audit,
        dateMs,
        facts: createQubeFacts(qvmLsFacts(paths.qubesStore)),
      },
    }),
  );
}
