// SPDX-License-Identifier: GPL-2.0-or-later
/** The desk of --dry-run: judges as the real one does, says what it would do, does nothing. @module */

import type { Clock } from "../../shared/io/clock.ts";
import { describeCommand } from "../../shared/protocol/command.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { subjectOf } from "../policy/subject.ts";
import type { Ledger } from "../record/ledger.ts";
import type { RequestDesk } from "./request_desk.ts";
import { NO_RATE_GATE } from "./rate_gate.ts";
import { claimOf } from "./request_event.ts";
import { type Authority, type Checks, judgeRequest, type Ruling, type Verdict } from "./verdict.ts";

export interface DryRunOptions extends Authority {
  readonly ledger: Ledger;
  readonly clock: Pick<Clock, "dateMs">;
  readonly say: (line: string) => void;
}

/** Behind the checks of a dry run there is the ledger alone. */
const NO_JOBS: Pick<Checks<null>, "inTurn" | "isHeld" | "closed" | "hasRoom" | "rates" | "take"> = {
  inTurn: (_vm, work) => work,
  isHeld: () => false,
  closed: () => null,
  hasRoom: () => true,
  rates: NO_RATE_GATE,
  take: () => null,
};

/** A desk on which nothing lies. */
const EMPTY_DESK: Omit<RequestDesk, "receive"> = {
  acknowledged() {},
  stop: () => ({ ended: Promise.resolve(), told: Promise.resolve() }),
  jobs: () => [],
  idle: () => Promise.resolve(),
  problems: () => [],
  forgetOld() {},
};

export function createDryRunDesk({ ledger, clock, say, ...authority }: DryRunOptions): RequestDesk {
  const checks: Checks<null> = {
    ...NO_JOBS,
    ...authority,
    ledger: { objection: ledger.objection, owes: () => false },
    dateMs: clock.dateMs,
  };
  return {
    ...EMPTY_DESK,
    async receive(vm, stored, event) {
      const verdict = await judgeRequest({ vm, stored, event, isOpen: () => true }, checks);
      say(`dry run: vm=${vm} id=${claimOf(event).id} ${wouldDo(verdict)}\n`);
      return { observed: true };
    },
  };
}

function wouldDo(verdict: Verdict<null>): string {
  switch (verdict.kind) {
    case "refused":
      return `would refuse: ${verdict.reason}`;
    case "taken":
      return wouldRule(verdict.ruling);
    case "held":
    case "owed":
    case "session-over":
      return "would answer it from what is kept";
    default:
      return verdict satisfies never;
  }
}

const WOULD = { allow: "would run", ask: "would ask a person", deny: "would refuse (deny)" };

function wouldRule(ruling: Ruling): string {
  if (ruling.next === "refuse") return `would refuse: ${ruling.reason}`;
  if (ruling.next === "list") return "would list what it may do";
  if (ruling.next === "about") return "would say its version and the time";
  const { command, judgement } = ruling.judged;
  const { decision: { action, because } } = judgement;
  const text = printable(describeCommand(command), 200);
  const would = `${WOULD[action]}, ${subjectOf(judgement).operation}, ${because}: ${text}`;
  return ruling.next === "explain" ? `would explain: ${would}` : would;
}
