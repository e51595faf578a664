// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon does for its operator, in a terminal and in the web admin. @module */

import type { Clock } from "../../shared/io/clock.ts";
import { type AdminOrdersOptions, type OpenAdmin, openAdmin } from "../admin_orders/open_admin.ts";
import type { Admission } from "../judge/admission.ts";
import { createCancelRequest } from "../judge/cancel_request.ts";
import type { Job } from "../judge/job.ts";
import type { DeskOptions } from "../judge/request_desk.ts";
import type { Authority } from "../judge/verdict.ts";
import type { Audit } from "../record/audit_log.ts";
import type { GroupChoice } from "../run/group_choice.ts";
import type { Config } from "../settings/config.ts";
import type { Paths } from "../settings/paths.ts";
import { type Approvals, openApprovals } from "./approvals.ts";
import { createDraining } from "./draining.ts";
import type { LiveSettings } from "./live_settings.ts";

/** Questions to a person in dom0; null: nobody can be asked. */
export interface OperatorService {
  readonly approvals: Approvals | null;
  readonly parking: Approvals["parking"] | null;
  /** null: the web admin's orders are not taken. */
  readonly admin: OpenAdmin | null;
  close(): Promise<void>;
}

export interface OperatorParts extends Pick<AdminOrdersOptions, "undoing" | "plans"> {
  readonly settings: LiveSettings;
  readonly audit: Audit;
  /** null in a dry run, which runs nothing. */
  readonly groups: GroupChoice | null;
  readonly admission: Admission;
  readonly authority: Authority;
  readonly config: () => Config;
  readonly onChange: () => void;
  /** Of VMs. */
  readonly jobs: () => readonly Job[];
}

export function serveOperator(
  { settings, groups, undoing, plans, admission, jobs, ...parts }: OperatorParts,
  { paths, dryRun, once, clock }: {
    readonly paths: Paths;
    readonly dryRun: boolean;
    readonly once: boolean;
    readonly clock: Clock;
  },
): OperatorService {
  const { audit } = parts;
  const open = (): readonly string[] => [...openOf(jobs()), ...runningOf(admin)];
  const drain = createDraining({ ...paths, admission, audit, open });
  const cancel = createCancelRequest(jobs, audit);
  const approvals = dryRun || once
    ? null
    : openApprovals({ paths, clock, drain, cancel, ...parts });
  const parking = approvals?.parking ?? null;
  const shared = { paths, audit, clock, parking, undoing, plans, admission, cancel };
  const admin: OpenAdmin | null = groups === null || once
    ? null
    : openAdmin({ ...shared, settings: settings.current, groups });
  return {
    approvals,
    parking,
    admin,
    async close() {
      approvals?.close();
      await admin?.close();
    },
  };
}

/** What runs or waits to run, for people. */
function openOf(jobs: readonly Job[]): readonly string[] {
  return jobs.filter((job) => job.outcome() === null)
    .map(({ request: { vm, id } }) => `${vm} ${id}`);
}

function runningOf(admin: OpenAdmin | null): readonly string[] {
  return (admin?.running() ?? []).map((id) => `dom0 ${id}`);
}

/** What the person at the screen is told without a question. */
export function tellersOf(
  { approvals }: OperatorService,
): Pick<DeskOptions, "tellRun" | "tellBackedOff"> {
  return {
    tellRun: approvals?.tellRun ?? null,
    tellBackedOff: approvals?.tellBackedOff ?? null,
  };
}
