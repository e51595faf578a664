// SPDX-License-Identifier: GPL-2.0-or-later
/** From single records to requests: what was asked, what was decided, how it ended. Pure. @module */

import { EXIT_OF_KIND } from "../../shared/protocol/outcome.ts";
import type { AuditValue } from "./audit_chain.ts";
import type { AuditRecord } from "./audit_files.ts";

export interface PastRequest {
  readonly vm: string;
  readonly id: string;
  readonly firstTime: string;
  readonly lastTime: string;
  /** "" for one that was refused before it was read. */
  readonly operation: string;
  /** Its beginning. */
  readonly command: string;
  /** "dom0" for none. */
  readonly targets: readonly string[];
  /** "50-work.policy:2". */
  readonly rule: string;
  /** Events before it ran: "accepted", "parked", "approved". */
  readonly decided: readonly string[];
  /** null: it waits, runs, or was cut off. */
  readonly end: RequestEnd | null;
}

export interface RequestEnd {
  /** An outcome's. */
  readonly kind: string;
  /** Why it was refused. */
  readonly reason: string;
  readonly exitCode: number | null;
}

/** It ran to its end, with exit code 0. */
export function isGood({ kind, exitCode }: RequestEnd): boolean {
  return kind === "done" && exitCode === 0;
}

export interface RequestHistory {
  /** Records that do not belong to a request are ignored. */
  add(record: AuditRecord): void;
  /** In the order in which they came. */
  requests(): readonly PastRequest[];
}

const DECISIONS: ReadonlySet<string> = new Set(["accepted", "parked", "approved"]);
/** For a request that waited for a person, the answer is its record. */
const NOT_APPROVED: ReadonlySet<string> = new Set(["denied", "expired"]);
const ENDS: ReadonlySet<string> = new Set([...Object.keys(EXIT_OF_KIND), ...NOT_APPROVED]);

export function createRequestHistory(): RequestHistory {
  const found = new Map<string, PastRequest>();
  return {
    add(record) {
      const { event, time } = record;
      if (!DECISIONS.has(event) && !ENDS.has(event)) return;
      const [vm, id] = [textOf(record["vm"]), textOf(record["id"])];
      const before = found.get(`${vm} ${id}`) ?? newRequest(vm, id, time);
      found.set(`${vm} ${id}`, {
        ...before,
        ...asked(record),
        lastTime: time,
        decided: DECISIONS.has(event) ? [...before.decided, event] : before.decided,
        end: ENDS.has(event) ? endOf(record) : before.end,
      });
    },
    requests: () => [...found.values()],
  };
}

function newRequest(vm: string, id: string, time: string): PastRequest {
  const nothing = { operation: "", command: "", targets: [], rule: "", decided: [], end: null };
  return { vm, id, firstTime: time, lastTime: time, ...nothing };
}

/** What the record of a decision says about the request. */
function asked(record: AuditRecord): Partial<PastRequest> {
  const { operation, command, targets, rule } = record;
  if (operation === undefined) return {};
  return {
    operation: textOf(operation),
    command: textOf(command),
    targets: Array.isArray(targets) ? targets.map(textOf) : [],
    rule: textOf(rule),
  };
}

function endOf({ event, reason, exit }: AuditRecord): RequestEnd {
  return {
    kind: NOT_APPROVED.has(event) ? "refused" : event,
    reason: textOf(reason),
    exitCode: typeof exit === "number" ? exit : null,
  };
}

function textOf(value: AuditValue | undefined): string {
  return value === undefined || value === null ? "" : String(value);
}
