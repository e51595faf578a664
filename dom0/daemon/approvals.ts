// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon needs to ask a person: the place where requests wait, and the person's orders. @module */

import type { Clock } from "../../shared/io/clock.ts";
import { errorText } from "../../shared/cli/program.ts";
import { createGrants } from "../approval/grants.ts";
import { createParkedFiles } from "../approval/parked_files.ts";
import { createNotifying, hasProgram, type Ran } from "../approval/notify.ts";
import { createParking, type Parking } from "../approval/parking.ts";
import { runOnScreen } from "../approval/screen.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { CancelRequest } from "../judge/cancel_request.ts";
import type { Authority } from "../judge/verdict.ts";
import type { Rule } from "../policy/rule.ts";
import type { Audit } from "../record/audit_log.ts";
import { readOperation } from "../run/read_operation.ts";
import type { Config } from "../settings/config.ts";
import type { Paths } from "../settings/paths.ts";
import type { Drain } from "./draining.ts";
import { ordersFor, takeOperatorOrders } from "./orders.ts";

export interface Approvals {
  readonly parking: Parking;
  /** When the rules have changed, what waits is judged again. */
  followRules(rules: readonly Rule[] | null): void;
  /** The person at the screen hears of what ran without a question. */
  tellRun(what: Ran): void;
  /** And of a VM whose requests are not looked at for a while. */
  tellBackedOff(vm: VmName): void;
  /** Takes no further orders. */
  close(): void;
}

export interface ApprovalsOptions {
  readonly paths: Pick<Paths, "parkedFolder" | "ordersFolder" | "installation">;
  readonly authority: Authority;
  readonly config: () => Config;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly drain: Drain;
  readonly cancel: CancelRequest;
  readonly onChange: () => void;
}

export function openApprovals(options: ApprovalsOptions): Approvals {
  const { paths, clock } = options;
  const files = createParkedFiles(paths.parkedFolder);
  const notifying = createNotifying({
    // Whoever tries this out in a folder is asked in a terminal.
    isOn: () => options.config().notify && paths.installation.root === "",
    run: runOnScreen,
    has: hasProgram,
    spanMs: clock.spanMs,
    scriptOf: files.body,
    current: ({ vm, id }) => parking.views().find((one) => one.vm === vm && one.id === id),
    approve: (order, by) => parking.approve(order, by),
    deny: (order, by) => parking.deny(order, by),
  });
  const parking: Parking = createParking({
    ...options,
    files,
    notice: notifying.notice,
    read: readOperation,
    grants: createGrants(clock),
    limits: options.config,
  });
  const close = takeOperatorOrders(paths.ordersFolder, ordersFor({ ...options, parking }));
  let known: string | null = null;
  return {
    parking,
    close,
    tellRun: notifying.tellRun,
    tellBackedOff: notifying.tellBackedOff,
    followRules(rules) {
      const text = JSON.stringify(rules?.map(({ where, text }) => [where, text]) ?? null);
      if (text === known) return;
      known = text;
      parking.reconsider().catch((error) => console.error(`parked: ${errorText(error)}`));
    },
  };
}
