// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A plan as a sequence of commands. When a step's turn comes, its variables are filled in, its values
 * are read by their parameters' parsers, and the policy is asked about the result: a step that is not
 * allowed ends the plan before it runs. What its undo needs is on the disk before it runs.
 *
 * What it came to is one JSON line a step, as it ends, and one for the plan:
 *
 *     {"step":1,"name":"new","operation":"vm.create","outcome":"done","exit":0,"result":{}}
 *     {"step":2,"operation":"vm.start","outcome":"failed","exit":1,"stderr":"no memory"}
 *     {"plan":"failed","steps":3,"done":1,"undone":[1],"notUndone":[]}
 *
 * @module
 */

import { concat } from "../../shared/protocol/bytes.ts";
import type { OperationCall, ProcessCommand } from "../../shared/protocol/command.ts";
import { type JsonValue, ResultError } from "../operations/operation.ts";
import { ParameterError } from "../operations/parameter.ts";
import { type Recognised, recogniseNamed } from "../operations/recognise.ts";
import { NOTHING } from "../operations/result.ts";
import type { Judgement } from "../policy/judge.ts";
import type { Ended, StopReason } from "../run/runner.ts";
import { type Print, type Sequence, type SequenceStep, StepRefused } from "../run/sequence.ts";
import { keepForUndo, type KeptForUndo, NotKept, type UndoKeeper } from "../undo/keep_for_undo.ts";
import type { Seen } from "../undo/undo_record.ts";
import { canBeApproved, type Plan, type PlanStep } from "./plan.ts";
import { fillTemplate, TemplateError } from "./template.ts";

export interface PlanRun {
  /** Whose it is; "dom0" for the operator's. */
  readonly vm: string;
  readonly id: string;
  /** A person has approved the whole plan; otherwise a step that asks ends it. */
  readonly isApproved: boolean;
  readonly judge: (call: OperationCall) => Promise<Judgement>;
  /** Looks at what a step is about to change. @returns why it must not run; null: it may */
  readonly objection: (step: PlanStep, before: Seen) => string | null;
  /** What dom0 does itself when a step has ended well. @returns what went wrong; null: nothing */
  readonly afterwards: (judgement: Judgement) => Promise<string | null>;
  readonly keeper: UndoKeeper;
  /** Undoes these steps, the last one first. @returns those that are undone */
  readonly undo: (steps: readonly number[], mayGoOn: () => boolean) => Promise<readonly number[]>;
  readonly progress: PlanProgress;
}

/** Told how far a plan has come. */
export interface PlanProgress {
  /** The turn of this step has come. */
  begun(step: number): void;
  /** What it will change is this now. */
  seen(step: number, before: Seen): void;
  /** @param after what it changed, as it is now; null: it was not, or cannot be, read */
  stepEnded(line: StepLine, after: Seen): void;
  ended(line: PlanLine): void;
}

type StepOutcome = "done" | "failed" | "refused";

export interface StepLine {
  readonly step: number;
  readonly name?: string;
  readonly operation: string;
  readonly outcome: StepOutcome;
  readonly exit: number | null;
  readonly result?: JsonValue;
  readonly stderr?: string;
}

export interface PlanLine {
  readonly plan: "done" | "failed" | "stopped";
  readonly steps: number;
  readonly done: number;
  /** Steps that are as if they had not run, if that was wanted. */
  readonly undone?: readonly number[];
  /** Of those that changed something, or may have, the others. */
  readonly notUndone?: readonly number[];
}

/** Of a step's messages. */
const MAX_STDERR_CHARS = 4096;
/** The operator ended it: then nothing more runs, not even an undo. */
const ENDED_BY_OPERATOR: ReadonlySet<StopReason | null> = new Set<StopReason | null>([
  "revoked",
  "locked-down",
  "stopping",
]);

/** The state of a plan while it runs. */
interface Progress {
  /** Of steps with a name. */
  readonly results: Map<string, JsonValue>;
  /** Numbers of steps that change something, and whose turn has come. */
  readonly begun: number[];
  done: number;
}

export function planSequence(plan: Plan, run: PlanRun): Sequence {
  const progress: Progress = { results: new Map(), begun: [], done: 0 };
  return {
    steps: plan.steps.flatMap((step) => sequenceOf(step, progress, run)),
    async finish(ended, print, stopped) {
      const isDone = progress.done === plan.steps.length;
      const line: PlanLine = {
        plan: isDone ? "done" : ended.kind === "done" ? "failed" : "stopped",
        steps: plan.steps.length,
        done: progress.done,
      };
      const isUndone = !isDone && plan.undoOnFailure;
      const whole = isUndone ? { ...line, ...await takeBack(progress, run, stopped) } : line;
      run.progress.ended(whole);
      printLine(print, whole);
    },
  };
}

async function takeBack(
  { begun }: Progress,
  { undo }: PlanRun,
  stopped: () => StopReason | null,
): Promise<Pick<Required<PlanLine>, "undone" | "notUndone">> {
  const mayGoOn = (): boolean => !ENDED_BY_OPERATOR.has(stopped());
  const undone = begun.length > 0 && mayGoOn() ? await undo(begun, mayGoOn) : [];
  const notUndone = begun.filter((number) => !undone.includes(number));
  return { undone: undone.toSorted((a, b) => b - a), notUndone };
}

/** A step whose turn has come. */
interface Begun {
  readonly recognised: Recognised;
  readonly judgement: Judgement;
  readonly kept: KeptForUndo | null;
}

/** An operation may be several commands, run one after another. */
function sequenceOf(step: PlanStep, progress: Progress, run: PlanRun): readonly SequenceStep[] {
  const output: Record<1 | 2, Uint8Array[]> = { 1: [], 2: [] };
  let begun: Begun | null = null;
  return step.operation.steps.map((_, at, { length }): SequenceStep => ({
    async begin(print) {
      if (at === 0) {
        run.progress.begun(step.number);
        begun = await beginStep(step, progress, run).catch((error) =>
          refuse(step, error, print, run)
        );
        if (step.operation.level !== "monitor") progress.begun.push(step.number);
      }
      return commandOf(begun, at);
    },
    output: (stream, bytes) => void output[stream].push(bytes.slice()),
    async end(ended, print) {
      if (begun === null || (isGood(ended) && at < length - 1)) return;
      await endStep(step, begun, { ended, print, output }, progress, run);
    },
  }));
}

function commandOf(begun: Begun | null, at: number): ProcessCommand {
  const [program, ...args] = begun?.recognised.argvs[at] ?? [];
  if (program === undefined) throw new Error("bug: a step without words");
  return { mode: "argv", argv: [program, ...args] };
}

/** @throws {StepRefused} */
async function beginStep(
  step: PlanStep,
  { results }: Progress,
  { vm, id, isApproved, judge, objection, keeper, progress }: PlanRun,
): Promise<Begun> {
  const { number, operation: { name }, words } = step;
  const pairs = [...words].map(([key, word]) => [key, fillTemplate(word, results)] as const);
  const recognised = recogniseNamed(name, pairs.map(([key, word]) => `${key}=${word}`));
  const judgement = await judge({ mode: "op", name, pairs });
  const { action } = judgement.decision;
  if (action === "deny") throw new StepRefused(NOT_ALLOWED);
  if (action === "ask" && !(isApproved && canBeApproved(step))) throw new StepRefused(NOBODY_ASKED);
  const kept = keepForUndo(recognised, { vm, id, step: number }, keeper);
  await kept?.begin((before) => {
    progress.seen(number, before);
    const why = objection(step, before);
    if (why !== null) throw new StepRefused(why);
  });
  return { recognised, judgement, kept };
}

const NOT_ALLOWED = "the policy in dom0 does not allow it";
const NOBODY_ASKED =
  "the policy wants a person in dom0 to confirm it, and nobody has seen its final values";

/** The values come from the VM, from tools, or from what other steps printed: any may be wrong. */
function refuse(step: PlanStep, error: unknown, print: Print, run: PlanRun): never {
  const isExpected = error instanceof StepRefused || error instanceof TemplateError ||
    error instanceof ParameterError || error instanceof NotKept;
  if (!isExpected) throw error;
  const line = { ...headOf(step), outcome: "refused", exit: null, stderr: error.message } as const;
  tellEnd(line, null, print, run);
  throw new StepRefused(`step ${step.number}: ${error.message}`);
}

interface StepEnd {
  readonly ended: Ended;
  readonly print: Print;
  readonly output: Readonly<Record<1 | 2, readonly Uint8Array[]>>;
}

async function endStep(
  step: PlanStep,
  { judgement, kept }: Begun,
  { ended, print, output }: StepEnd,
  progress: Progress,
  run: PlanRun,
): Promise<void> {
  const after = await kept?.end(ended.exitCode) ?? null;
  const tell = (line: Omit<StepLine, "step" | "name" | "operation">): void =>
    tellEnd({ ...headOf(step), ...line }, after, print, run);
  const text = (stream: 1 | 2): string => new TextDecoder().decode(concat([...output[stream]]));
  const stderr = judgement.view?.maskMessage(text(2)) ?? text(2);
  const said = stderr === "" ? {} : { stderr: stderr.slice(0, MAX_STDERR_CHARS) };
  const exit = ended.exitCode;
  if (!isGood(ended)) {
    return tell({ outcome: "failed", exit, ...said });
  }
  const wrong = await run.afterwards(judgement);
  const result = readResult(step, judgement, text(1));
  const why = wrong ?? (result === null ? UNREADABLE : null);
  if (why !== null || result === null) {
    const stderr = [said.stderr, why].filter((one) => one !== undefined).join("\n");
    tell({ outcome: "failed", exit, stderr });
    throw new StepRefused(`step ${step.number}: ${why}`);
  }
  if (step.name !== null) progress.results.set(step.name, result.value);
  progress.done++;
  const shown = step.operation.result === NOTHING ? {} : { result: result.value };
  tell({ outcome: "done", exit, ...shown, ...said });
}

function tellEnd(line: StepLine, after: Seen, print: Print, { progress }: PlanRun): void {
  progress.stepEnded(line, after);
  printLine(print, line);
}

const UNREADABLE = "its output does not have the expected form";

/** What the VM may see of it. null: it cannot be read */
function readResult(
  { operation: { result } }: PlanStep,
  { view }: Judgement,
  text: string,
): { readonly value: JsonValue } | null {
  try {
    const value = result.parse(text);
    return { value: view === null ? value : result.keepVisible(value, view) };
  } catch (error) {
    if (error instanceof ResultError) return null;
    throw error;
  }
}

function headOf(
  { number, name, operation }: PlanStep,
): Pick<StepLine, "step" | "name" | "operation"> {
  return { step: number, ...name === null ? {} : { name }, operation: operation.name };
}

function printLine(print: Print, line: StepLine | PlanLine): void {
  print(`${JSON.stringify(line)}\n`);
}

function isGood({ kind, exitCode }: Ended): boolean {
  return kind === "done" && exitCode === 0;
}
