// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that dom0 has taken, and what it needs on its way to an answer. @module */

import type { Clock } from "../../shared/io/clock.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { Granted } from "../approval/grants.ts";
import type { Parking } from "../approval/parking.ts";
import type { PayloadStore } from "../payload/payload_store.ts";
import type { ReceivedPayload } from "../payload/received_payload.ts";
import type { PlanBoard } from "../plans/plan_board.ts";
import type { Judge } from "../policy/judge.ts";
import type { Audit } from "../record/audit_log.ts";
import type { Concluding } from "../run/concluding.ts";
import type { Execution } from "../run/execution.ts";
import type { Config } from "../settings/config.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { Undoing } from "../undo/undoing.ts";
import type { Answers } from "./answers.ts";
import type { Informing } from "./informing.ts";
import type { Job, Seat } from "./job.ts";
import type { StopSwitch } from "./stop_switch.ts";
import type { Ruling } from "./verdict.ts";

/** A request that is dom0's to answer. */
export interface Taken {
  readonly stored: StoredKey;
  readonly job: Job;
  /** Its entry in the ledger is on the disk. */
  readonly written: Promise<void>;
  readonly stops: StopSwitch;
}

/** With the ruling on it, and the seat that gets the answer. */
export interface TakenRequest extends Taken {
  readonly request: AuthenticRequest;
  readonly ruling: Ruling;
  /** null: a session has heard already that it was taken. */
  readonly seat: Seat | null;
  /** What it brings, all of it and checked. */
  readonly payload?: ReceivedPayload;
}

/** What a request needs on its way. */
export interface Way {
  readonly audit: Audit;
  readonly clock: Clock;
  readonly workFolder: string;
  readonly config: () => Pick<Config, "liveStdin">;
  readonly judge: Judge;
  readonly undoing: Undoing;
  readonly plans: PlanBoard;
  readonly answers: Answers;
  readonly execution: Execution;
  readonly concluding: Concluding;
  readonly informing: Informing;
  readonly payloads: PayloadStore;
  /** null: there is nobody to ask. */
  readonly parking: Parking | null;
  /** For rules that say notify=yes; null: there is nobody to tell. */
  readonly tellRun: ((what: Granted) => void) | null;
  readonly onChange: () => void;
}
