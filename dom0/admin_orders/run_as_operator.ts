// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Runs an operation, or a script, for the operator: on record before it starts and when it has ended,
 * as what a VM asks for. Whoever asked waits for the end, or follows the output while it runs.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { concat, utf8 } from "../../shared/protocol/bytes.ts";
import { shellQuote } from "../../shared/protocol/command.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import { type JsonValue, ResultError } from "../operations/operation.ts";
import { type Recognised, recogniseNamed } from "../operations/recognise.ts";
import { SHELL } from "../operations/table.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import type { Ended } from "../run/runner.ts";
import { argvStep, type SequenceStep } from "../run/sequence.ts";
import type { UndoKeeper } from "../undo/keep_for_undo.ts";
import { OPERATOR } from "../undo/run_undo.ts";
import { undoableSteps } from "../undo/undoable_steps.ts";
import type { OperatorRuns } from "./operator_runs.ts";
import type { RunFiles, RunHead } from "./run_output.ts";

export interface OperatorRunOptions {
  readonly runs: OperatorRuns;
  readonly files: RunFiles;
  readonly audit: Audit;
  readonly keeper: UndoKeeper;
}

type Words = Readonly<Record<string, string>>;

/**
 * All throw a ParameterError for an invalid value and, while dom0 is locked down, a UserError for
 * anything that does more than read.
 */
export interface OperatorRun {
  /** @returns { exitCode, stdout, stderr, value } */
  operation(name: string, values: Words, by: string): Promise<JsonValue>;
  /** Resolves as soon as it is on record. @returns { id } */
  beginOperation(name: string, values: Words, by: string): Promise<JsonValue>;
  beginScript(text: string, by: string): Promise<JsonValue>;
}

/** Reads are not recorded: there would be some for each page. */
const READS = "monitor";
const SCRIPT_SECONDS = 3600;

export function createOperatorRun(options: OperatorRunOptions): OperatorRun {
  return {
    async operation(name, values, by) {
      const work = await prepareOperation(name, values, by, options);
      const printed: Record<StreamNumber, Uint8Array[]> = { 1: [], 2: [] };
      const { exitCode, kind } = await run(work, options, (stream, bytes) => {
        printed[stream].push(bytes.slice());
      });
      const text = (stream: StreamNumber): string =>
        new TextDecoder().decode(concat(printed[stream]));
      const why = kind === "done" ? "" : `dom0: it was ended: ${kind}\n`;
      const stdout = text(1);
      const value = exitCode === 0 ? work.valueOf(stdout) : null;
      return { exitCode, stdout, stderr: text(2) + why, value };
    },
    beginOperation: async (name, values, by) =>
      begin(await prepareOperation(name, values, by, options), options),
    beginScript: async (text, by) => begin(await prepareScript(text, by, options), options),
  };
}

/** On record, and ready to start. */
interface Work extends Omit<RunHead, "begunMs"> {
  readonly steps: readonly SequenceStep[];
  readonly timeoutSeconds: number;
  readonly valueOf: (stdout: string) => JsonValue;
  /** null: it is not recorded. */
  readonly told: AuditFields | null;
}

async function prepareOperation(
  name: string,
  values: Words,
  by: string,
  { runs, audit, keeper }: OperatorRunOptions,
): Promise<Work> {
  const pairs = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  const recognised = recogniseNamed(name, pairs);
  const { operation, touches, argvs } = recognised;
  const id = runs.newId();
  const work = {
    id,
    by,
    operation: name,
    values,
    timeoutSeconds: operation.timeoutSeconds,
    valueOf: (stdout: string) => valueOf(stdout, recognised),
  };
  if (operation.level === READS) return { ...work, told: null, steps: argvs.map(argvStep) };
  runs.refuseLockdown();
  const told = { by, operation: name, targets: touches.map((qube) => qube ?? "dom0"), id };
  await recordStart(audit, { ...told, command: argvs.map(shellQuote) });
  const steps = undoableSteps(recognised, { vm: OPERATOR, id, step: null }, keeper);
  return { ...work, told, steps };
}

async function prepareScript(
  text: string,
  by: string,
  { runs, audit }: OperatorRunOptions,
): Promise<Work> {
  runs.refuseLockdown();
  const script = utf8(text);
  const id = runs.newId();
  const sha256 = sha256Hex(script);
  const told = { by, operation: SHELL, id, body_bytes: script.length, body_sha256: sha256 };
  await recordStart(audit, { ...told, command: text.slice(0, 200) });
  return {
    id,
    by,
    operation: SHELL,
    values: { script: text },
    timeoutSeconds: SCRIPT_SECONDS,
    told,
    steps: [{ begin: () => ({ mode: "script", script }) }],
    valueOf: () => null,
  };
}

/** On the disk before anything starts. */
async function recordStart(audit: Audit, fields: AuditFields): Promise<void> {
  audit.record("operator", { action: "runs", ...fields });
  await audit.sync();
}

async function run(
  { id, steps, timeoutSeconds, told }: Work,
  { runs, audit }: OperatorRunOptions,
  onOutput: (stream: StreamNumber, bytes: Uint8Array) => void,
): Promise<Ended> {
  const ended = await runs.run({ id, sequence: { steps }, timeoutSeconds, onOutput });
  if (told !== null) {
    const kind = ended.kind === "done" ? {} : { end: ended.kind };
    recordQuietly(audit, "operator", { action: "ran", ...told, exit: ended.exitCode, ...kind });
  }
  return ended;
}

/** From now on it is followed by its file. */
function begin(work: Work, options: OperatorRunOptions): JsonValue {
  const { id, by, operation, values } = work;
  const { dateMs } = options.keeper;
  const file = options.files.begin({ id, by, operation, values, begunMs: dateMs() });
  const stdout: Uint8Array[] = [];
  void run(work, options, (stream, bytes) => {
    file.print(stream, bytes);
    if (stream === 1) stdout.push(bytes.slice());
  }).then(({ kind, exitCode }) => {
    const value = exitCode === 0 ? work.valueOf(new TextDecoder().decode(concat(stdout))) : null;
    file.end({ kind, exitCode, value, endedMs: dateMs() });
  }).catch((error) => {
    file.print(2, utf8(`dom0: ${errorText(error)}\n`));
    file.end({ kind: "interrupted", exitCode: 1, value: null, endedMs: dateMs() });
  });
  return { id };
}

function valueOf(stdout: string, { operation }: Recognised): JsonValue {
  try {
    return operation.result.parse(stdout);
  } catch (error) {
    if (error instanceof ResultError) return null;
    throw error;
  }
}
