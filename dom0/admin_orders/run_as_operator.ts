// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Runs an operation, or a script, for the operator: within the limits of all commands, and on record
 * before it starts and when it has ended, as what a VM asks for.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { UserError } from "../../shared/io/program.ts";
import { concat, utf8 } from "../../shared/protocol/bytes.ts";
import { shellQuote } from "../../shared/protocol/command.ts";
import { makeRequestId } from "../../shared/protocol/request_id.ts";
import { type JsonValue, ResultError } from "../operations/operation.ts";
import { type Recognised, recogniseNamed } from "../operations/recognise.ts";
import { SHELL } from "../operations/table.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import type { Audit } from "../record/audit_log.ts";
import type { GroupChoice } from "../run/group_choice.ts";
import { argvStep, type SequenceStep, startSequence } from "../run/sequence.ts";
import type { UndoKeeper } from "../undo/keep_for_undo.ts";
import { undoableSteps } from "../undo/undoable_steps.ts";
import { OPERATOR } from "../undo/run_undo.ts";
import type { Settings } from "../settings/settings.ts";

export interface OperatorRunOptions {
  readonly groups: Pick<GroupChoice, "groups" | "wardens" | "markPrefix">;
  readonly settings: () => Settings;
  readonly audit: Audit;
  readonly workFolder: string;
  readonly keeper: UndoKeeper;
}

export interface OperatorRun {
  /**
   * @returns { exitCode, stdout, stderr, value }
   * @throws {ParameterError}
   * @throws {UserError} dom0 is locked down, and it does more than to read
   */
  operation(name: string, values: Readonly<Record<string, string>>, by: string): Promise<JsonValue>;
  script(text: string, by: string): Promise<JsonValue>;
}

/** What reads is not worth a record each time a page is made. */
const READS = "monitor";
const SCRIPT_SECONDS = 3600;

export function createOperatorRun(options: OperatorRunOptions): OperatorRun {
  let marks = 0;
  const newMark = (): string => `${options.groups.markPrefix}op${++marks}`;
  return {
    async operation(name, values, by) {
      const pairs = Object.entries(values).map(([key, value]) => `${key}=${value}`);
      const recognised = recogniseNamed(name, pairs);
      const { operation, touches } = recognised;
      if (operation.level !== READS) refuseLockdown(options);
      const told = { by, operation: name, targets: touches.map((qube) => qube ?? "dom0") };
      const ended = operation.level === READS
        ? await run(recognised.argvs.map(argvStep), operation.timeoutSeconds, newMark, options)
        : await runChange(recognised, told, newMark, options);
      return { ...ended, value: valueOf(ended, operation.result.parse) };
    },
    async script(text, by) {
      refuseLockdown(options);
      const script = utf8(text);
      const sha256 = createHash("sha256").update(script).digest("hex");
      const told = { by, operation: SHELL, body_bytes: script.length, body_sha256: sha256 };
      await recordStart(options.audit, { ...told, command: text.slice(0, 200) });
      const step: SequenceStep = { begin: () => ({ mode: "script", script }) };
      const ended = await run([step], SCRIPT_SECONDS, newMark, options);
      options.audit.record("operator", { action: "ran", ...told, exit: ended.exitCode });
      return { ...ended, value: null };
    },
  };
}

/** A lockdown stops everything, whoever asks; the operator lifts it first. */
function refuseLockdown({ settings }: OperatorRunOptions): void {
  if (!settings().lockdown) return;
  throw new UserError("dom0 is locked down: nothing is changed until somebody unlocks");
}

/** On record, with its way back on the disk, before it starts. */
async function runChange(
  recognised: Recognised,
  told: AuditFields,
  newMark: () => string,
  options: OperatorRunOptions,
): Promise<Ran> {
  const { audit, keeper } = options;
  const { operation, argvs } = recognised;
  const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const id = makeRequestId(keeper.dateMs(), Deno.pid, random);
  await recordStart(audit, { ...told, id, command: argvs.map(shellQuote) });
  const steps = undoableSteps(recognised, { vm: OPERATOR, id, step: null }, keeper);
  const ended = await run(steps, operation.timeoutSeconds, newMark, options);
  audit.record("operator", { action: "ran", ...told, id, exit: ended.exitCode });
  return ended;
}

/** On the disk before anything starts. */
async function recordStart(audit: Audit, fields: AuditFields): Promise<void> {
  audit.record("operator", { action: "runs", ...fields });
  await audit.sync();
}

interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  steps: readonly SequenceStep[],
  timeoutSeconds: number,
  newMark: () => string,
  { groups, settings, workFolder }: OperatorRunOptions,
): Promise<Ran> {
  const { maxProcesses, maxMemoryBytes, maxOutputBytes, path } = settings().config;
  const printed: Record<1 | 2, Uint8Array[]> = { 1: [], 2: [] };
  const { ended } = startSequence({
    steps,
    newMark,
    path,
    workFolder,
    groups: groups.groups,
    wardens: groups.wardens,
    environment: {},
    limits: { timeoutMs: timeoutSeconds * 1000, maxProcesses, maxMemoryBytes, maxOutputBytes },
    onOutput: (stream, bytes) => void printed[stream].push(bytes.slice()),
  });
  const { exitCode, kind } = await ended;
  const text = (stream: 1 | 2): string => new TextDecoder().decode(concat(printed[stream]));
  const why = kind === "done" ? "" : `dom0: it was ended: ${kind}\n`;
  return { exitCode, stdout: text(1), stderr: text(2) + why };
}

function valueOf({ exitCode, stdout }: Ran, parse: (text: string) => JsonValue): JsonValue {
  if (exitCode !== 0) return null;
  try {
    return parse(stdout);
  } catch (error) {
    if (error instanceof ResultError) return null;
    throw error;
  }
}
