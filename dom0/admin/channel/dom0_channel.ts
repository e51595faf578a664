// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * All that the web admin asks of dom0: the daemon is the one authority for keys, policy, approvals,
 * operations and the record. What changes something names who asked, for the record.
 *
 * @module
 */

import type { DaemonState } from "../../daemon/state_file.ts";
import type { PlannedChange } from "../../admin_orders/operator_plan.ts";
import type { RunEnd, RunHead, RunPart } from "../../admin_orders/run_output.ts";
import type { PlanView } from "../../plans/plan_view.ts";
import type { JsonValue, Level } from "../../operations/operation.ts";
import type { ArchiveChannel } from "./archive_channel.ts";
import type { ConfigChannel } from "./config_channel.ts";
import type { KeysChannel } from "./keys_channel.ts";
import type { PolicyChannel } from "./policy_channel.ts";
import type { QrexecChannel } from "./qrexec_channel.ts";

/** Who asks, as the record says it: "web s-3". */
export type Asker = string;

export interface Dom0Channel
  extends ArchiveChannel, ConfigChannel, KeysChannel, PolicyChannel, QrexecChannel {
  /** What there is now; quick, and asked for each page. */
  now(): Promise<Dom0Now>;
  /** Calls back a moment after something of that changed. @returns ends it */
  watch(onChange: () => void): () => void;

  /** @throws {Dom0Error} if it no longer waits, or has changed since the hash was made */
  approve(parked: ParkedName, hash: string, forSeconds: number | null, by: Asker): Promise<void>;
  deny(parked: ParkedName, hash: string, reason: string, by: Asker): Promise<void>;
  endGrant(grant: string, by: Asker): Promise<void>;

  /** Runs an operation of the table as the operator, to its end. */
  run(operation: string, values: Readonly<Record<string, string>>, by: Asker): Promise<RunResult>;
  /** What it would change, as far as dom0 can tell. @throws {Dom0Error} a value is invalid */
  preview(
    operation: string,
    values: Readonly<Record<string, string>>,
  ): Promise<Pick<PreviewOf, "lines" | "notes">>;
  /** Starts it; followRun() and readRun() tell the rest. @throws {Dom0Error} nothing was started */
  begin(operation: string, values: Readonly<Record<string, string>>, by: Asker): Promise<RunId>;
  /** A script, as root; only for a session that may. */
  beginShell(script: string, by: Asker): Promise<RunId>;
  /** What began runs, or a plan of the operator's. @throws {Dom0Error} it has ended */
  cancel(id: string, by: Asker): Promise<void>;
  /** What a VM asked for, that runs or waits. @throws {Dom0Error} it has ended */
  cancelRequest(request: ParkedName, by: Asker): Promise<void>;
  /** From a byte on, as far as it has come; null: there is no such run, or it is no longer kept. */
  readRun(id: string, from: number): Promise<RunChunk | null>;
  /** Running ones and the last that ended, newest first. */
  runs(): Promise<readonly ListedRun[]>;
  /** Calls back a moment after it printed something or ended. @returns ends it */
  followRun(id: string, onChange: () => void): () => void;

  /** Running ones and the last that ended, newest first. */
  plans(): Promise<readonly PlanView[]>;
  /** Changes of the operator as one plan: done, or taken back. @throws {Dom0Error} none began */
  beginPlan(changes: readonly PlannedChange[], by: Asker): Promise<RunId>;
  /** What is kept of its steps; of those that change nothing there is nothing. */
  undoState(plan: ParkedName): Promise<readonly StepUndo[]>;
  /** @returns the id by which that can be undone @throws {Dom0Error} it is not undone */
  undoPlan(plan: ParkedName, by: Asker): Promise<RunId>;

  records(query: RecordQuery): Promise<RecordPage>;
  /** Reads the whole record and checks it. */
  verifyChain(): Promise<ChainState>;

  revoke(vm: string, by: Asker): Promise<void>;

  undoable(): Promise<readonly Undoable[]>;
  /** @returns the id by which that can be undone @throws {Dom0Error} it is not undone */
  undo(id: string, by: Asker): Promise<RunId>;

  /** Puts on record what a session did that asks nothing else of dom0. */
  note(action: string, by: Asker): Promise<void>;

  /** Whether the daemon starts with the machine; null: it is not installed as a service. */
  autostart(): Promise<{ readonly isOn: boolean | null }>;
  setAutostart(isOn: boolean, by: Asker): Promise<void>;
  /** Resolves when it runs. @throws {Dom0Error} it does not */
  startDaemon(by: Asker): Promise<void>;
  /** What runs for VMs is ended, and they are told. It happens a moment later. */
  turnDaemon(verb: DaemonTurn, by: Asker): Promise<void>;
  lockdown(by: Asker): Promise<void>;
  unlock(by: Asker): Promise<void>;
}

export type DaemonTurn = "restart" | "stop";

/** dom0 refuses, or cannot; the text is for a person, and says what to do. */
export class Dom0Error extends Error {
  override readonly name = "Dom0Error";
}

/** What was asked for, or why there is none: for a page that says so in its place. */
export async function orProblem<T>(asked: Promise<T>): Promise<T | Dom0Error> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Dom0Error) return error;
    throw error;
  }
}

export interface Dom0Now {
  /** null: no daemon runs. */
  readonly daemon: DaemonState | null;
  /** Newest first. */
  readonly parked: readonly ParkedRequest[];
  readonly grants: readonly OpenGrant[];
}

export interface ParkedName {
  readonly vm: string;
  readonly id: string;
}

/** A request of a VM that waits for a person. All but `vm` and `id` that is text may be the VM's. */
export interface ParkedRequest extends ParkedName {
  /** Binds an answer to what was shown. */
  readonly hash: string;
  /** A name of the table, "shell" or "plan". */
  readonly operation: string;
  readonly level: Level;
  /** Something is lost that cannot be brought back. */
  readonly destructive: boolean;
  /** null: dom0. */
  readonly targets: readonly (string | null)[];
  /** The reason that the VM gives; nobody has checked it. */
  readonly why: string | null;
  readonly parkedMs: number;
  readonly expiresMs: number;
  /** The command lines that dom0 would run; of a plan, its steps; of a script, its text. */
  readonly runs: readonly string[];
  /** Of a plan: each step with its own preview. */
  readonly steps: readonly ParkedStep[] | null;
  readonly isScript: boolean;
  /** "30-work.policy:2", and its text. */
  readonly rule: { readonly where: string; readonly text: string } | null;
  readonly preview: Preview | null;
  readonly canBeUndone: boolean;
}

export interface ParkedStep {
  /** "step 2: vm.start vm=work" */
  readonly text: string;
  readonly lines: readonly DiffLine[];
  readonly notes: readonly string[];
}

/** What would change, as dom0 read it. */
export interface Preview {
  readonly readMs: number;
  readonly lines: readonly DiffLine[];
  /** What dom0 says to it, as "its data is destroyed". */
  readonly notes: readonly string[];
}

/** Of an operation that a person has filled in. */
export interface PreviewOf {
  /** The command lines. */
  readonly runs: readonly string[];
  readonly lines: readonly DiffLine[];
  readonly notes: readonly string[];
}

export interface DiffLine {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

export interface OpenGrant {
  readonly id: string;
  readonly vm: string;
  readonly operation: string;
  readonly targets: readonly (string | null)[];
  readonly untilMs: number;
}

export interface RunId {
  readonly id: string;
}

export interface StepUndo {
  readonly step: number;
  readonly isUndone: boolean;
  /** Whether something leads back to what was there before. */
  readonly hasWay: boolean;
}

/** A part of what runs: whole lines of its file. */
export interface RunChunk {
  /** null: the part does not begin at the beginning. */
  readonly head: RunHead | null;
  readonly parts: readonly RunPart[];
  /** null: it runs. */
  readonly end: RunEnd | null;
  /** Where the next part begins. */
  readonly next: number;
}

/** How it began, and how it ended. */
export interface ListedRun {
  readonly head: RunHead;
  /** null: it runs. Of a long one only the time is known. */
  readonly end: Pick<RunEnd, "endedMs"> & Partial<Pick<RunEnd, "kind" | "exitCode">> | null;
}

export interface RunResult {
  /** 0: done. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The output as the table's value; null where it is none. */
  readonly value: JsonValue | null;
}

export interface RecordQuery {
  readonly vm: string | null;
  readonly failedOnly: boolean;
  /** Stands in the record somewhere. */
  readonly text: string;
  readonly sinceMs: number;
  /** Only records before this number; null: the newest. */
  readonly before: number | null;
  readonly limit: number;
}

export interface AuditRecord {
  readonly seq: number;
  readonly time: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, JsonValue>>;
  /** Of a request's end: the operation that was asked for, if that is known. */
  readonly asked?: string;
}

export interface RecordPage {
  /** Newest first. */
  readonly records: readonly AuditRecord[];
  readonly hasMore: boolean;
}

export interface ChainState {
  readonly isWhole: boolean;
  readonly records: number;
  /** What is wrong, or how far it was looked at. */
  readonly text: string;
}

export interface Undoable {
  readonly id: string;
  readonly timeMs: number;
  readonly operation: string;
  readonly values: Readonly<Record<string, string>>;
  readonly by: string;
  readonly before: JsonValue;
  /** The command lines of the way back. */
  readonly runs: readonly string[];
  /** What it is now, if that is not what the operation left; null if it is. */
  readonly changedSince: string | null;
}
