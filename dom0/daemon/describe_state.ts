// SPDX-License-Identifier: GPL-2.0-or-later
/** What "status" shows of a running daemon. @module */

import { VERSION } from "../../shared/io/version.ts";
import type { Parking } from "../approval/parking.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import type { Ledger } from "../record/ledger.ts";
import { PROTOCOLS } from "../record/ledger_memory.ts";
import type { LimitsInForce } from "../run/process_group.ts";
import type { LinkSet } from "../session/link_set.ts";
import type { Settings } from "../settings/settings.ts";
import type { DaemonState } from "./state_file.ts";

/** Of a dry run, which runs nothing. */
const NO_LIMITS: LimitsInForce = { processes: "none", memory: "none" };

export interface StateSources {
  readonly startedAt: string;
  readonly settings: Settings;
  readonly ledger: Ledger;
  readonly links: LinkSet;
  readonly desk: RequestDesk;
  /** null: nothing is run. */
  readonly limits: LimitsInForce | null;
  /** null: nobody can be asked. */
  readonly parking: Parking | null;
}

export function describeState(
  { startedAt, settings, ledger, links, desk, limits, parking }: StateSources,
): DaemonState {
  const jobs = desk.jobs();
  const parked = parking?.views() ?? [];
  return {
    pid: Deno.pid,
    startedAt,
    version: VERSION,
    lockdown: settings.lockdown,
    limits: limits ?? NO_LIMITS,
    problems: [...settings.problems, ...ledgerProblems(ledger), ...desk.problems()],
    parked: parked.length,
    grants: parking?.grants.list() ?? [],
    vms: links.all().map((link) => {
      const own = jobs.filter((job) => job.request.vm === link.vm);
      return {
        vm: link.vm,
        state: link.state(),
        fingerprint: link.key.key.fingerprint,
        acceptsV1: link.key.acceptsV1,
        lastEnd: link.lastEnd(),
        open: own.filter((job) => job.outcome() === null).map((job) => job.request.id),
        parked: parked.filter(({ vm }) => vm === link.vm).map(({ id }) => id),
        kept: own.filter((job) => job.outcome() !== null).length,
      };
    }),
  };
}

/** While a request may have run of which there is no record; it ends at the date it names. */
export function ledgerProblems(ledger: Ledger): readonly string[] {
  const why = ledger.wasLost ? "the ledger was lost or cut" : "the clock of dom0 was set back";
  return PROTOCOLS.flatMap((protocol) => {
    const untilMs = ledger.refusesUntilMs(protocol);
    if (untilMs === null) return [];
    const until = new Date(untilMs).toISOString();
    return [`requests of protocol ${protocol} are refused until ${until}: ${why}`];
  });
}
