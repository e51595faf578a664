// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Commands one after another as one run: each starts only if the one before ended with 0, the limits
 * of time and output are those of the whole, and who stops it stops all of it. Before and after each
 * step there is room for what dom0 itself has to do, such as reading what an undo will need.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import type { ProcessCommand } from "../../shared/protocol/command.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import { EXIT_OF_KIND } from "../../shared/protocol/outcome.ts";
import { withOwnProgram } from "./file_programs.ts";
import {
  type Ended,
  type RunningCommand,
  type RunOptions,
  startCommand,
  type StopReason,
} from "./runner.ts";
import { NAME } from "./warden.ts";

/** As a shell says it. */
const EXIT_NOT_RUNNABLE = 126;
const EXIT_STEP_REFUSED = 1;

export interface SequenceStep {
  /**
   * Called when its turn comes: what it returns is run.
   *
   * @throws {StepRefused} nothing is run, and the sequence ends here
   */
  readonly begin: (print: Print) => ProcessCommand | Promise<ProcessCommand>;
  /** Receives its output, instead of the request's own. */
  readonly output?: (stream: StreamNumber, bytes: Uint8Array) => void;
  /**
   * Called when it has ended, in whatever way; awaited even if the sequence is stopped.
   *
   * @throws {StepRefused} the sequence ends here, though the step may have ended well
   */
  readonly end?: (ended: Ended, print: Print) => void | Promise<void>;
}

/** Text on stdout that no command printed. */
export type Print = (text: string) => void;

export interface Sequence {
  readonly steps: readonly SequenceStep[];
  /**
   * Called once, after the last step that ran; awaited. It cannot change the result.
   *
   * @param stopped why somebody has stopped it until now; null: nobody has
   */
  readonly finish?: (ended: Ended, print: Print, stopped: () => StopReason | null) => Promise<void>;
}

/** A step that runs these words unconditionally. */
export function argvStep(words: readonly string[]): SequenceStep {
  const [program, ...args] = words;
  if (program === undefined) throw new Error("bug: no program");
  return { begin: () => ({ mode: "argv", argv: withOwnProgram([program, ...args]) }) };
}

/** Why a sequence does not go on, for whoever asked for it. */
export class StepRefused extends Error {
  override readonly name = "StepRefused";
}

export interface SequenceOptions extends Omit<RunOptions, "command" | "mark">, Sequence {
  /** Another one with each call. */
  readonly newMark: () => string;
}

export function startSequence(options: SequenceOptions): RunningCommand {
  const halt = createHalt();
  const timeout = setTimeout(() => halt.stop("timeout"), options.limits.timeoutMs);
  const runAll = async (): Promise<Ended> => {
    const ended = await runSteps(options, halt).finally(() => clearTimeout(timeout));
    await options.finish?.(ended, printTo(options), halt.reason);
    return ended;
  };
  return { stop: halt.stop, ended: runAll() };
}

/** A stop reaches the step that runs, or keeps the next one from starting. */
interface Halt {
  stop(reason: StopReason): void;
  reason(): StopReason | null;
  /** What is to be stopped from now on; null: nothing runs. */
  follow(running: RunningCommand | null): void;
  /** The result of the work, or undefined as soon as the sequence is stopped. */
  unlessStopped<T>(work: Promise<T>): Promise<T | undefined>;
}

function createHalt(): Halt {
  let reason: StopReason | null = null;
  let running: RunningCommand | null = null;
  const stopped = Promise.withResolvers<undefined>();
  return {
    stop(why) {
      reason ??= why;
      stopped.resolve(undefined);
      running?.stop(why);
    },
    reason: () => reason,
    follow: (next) => void (running = next),
    unlessStopped: (work) => Promise.race([work, stopped.promise]),
  };
}

async function runSteps(options: SequenceOptions, halt: Halt): Promise<Ended> {
  const printed: Record<StreamNumber, number> = { 1: 0, 2: 0 };
  const print = printTo(options);
  let last: Ended = { kind: "done", exitCode: 0 };
  let left = 0;
  for (const [index, step] of options.steps.entries()) {
    const terms = index === 0 ? options : withoutLive(options);
    try {
      const command = await halt.unlessStopped(Promise.resolve(step.begin(print)));
      const why = halt.reason();
      if (why !== null || command === undefined) return stoppedFor(why);
      const ended = await runStep(command, step, printed, terms, halt);
      left += ended.left ?? 0;
      last = ended.kind === "done" && left > 0 ? { ...ended, left } : ended;
      await step.end?.(last, print);
    } catch (error) {
      if (!(error instanceof StepRefused)) throw error;
      say(options, error.message);
      return { kind: "done", exitCode: EXIT_STEP_REFUSED };
    }
    if (last.kind !== "done" || last.exitCode !== 0) return last;
  }
  return last;
}

/** A live stream is read once, by the first command. */
function withoutLive(options: SequenceOptions): SequenceOptions {
  const { stdin, ...rest } = options;
  return typeof stdin === "object" ? rest : options;
}

function stoppedFor(why: StopReason | null): Ended {
  const kind = why ?? "interrupted";
  return { kind, exitCode: EXIT_OF_KIND[kind] };
}

async function runStep(
  command: ProcessCommand,
  { output }: SequenceStep,
  printed: Record<StreamNumber, number>,
  options: SequenceOptions,
  halt: Halt,
): Promise<Ended> {
  const running = startStep(command, output, printed, options);
  if (running === null) return { kind: "done", exitCode: EXIT_NOT_RUNNABLE };
  halt.follow(running);
  try {
    return await running.ended;
  } finally {
    halt.follow(null);
  }
}

/** @returns null if it cannot be started: a word too long for the kernel, no process to be had */
function startStep(
  command: ProcessCommand,
  output: SequenceStep["output"],
  printed: Record<StreamNumber, number>,
  options: SequenceOptions,
): RunningCommand | null {
  const { limits, newMark, onOutput } = options;
  const before = Math.max(printed[1], printed[2]);
  try {
    return startCommand({
      ...options,
      command,
      mark: newMark(),
      limits: { ...limits, maxOutputBytes: limits.maxOutputBytes - before },
      onOutput(stream, bytes) {
        printed[stream] += bytes.length;
        (output ?? onOutput)(stream, bytes);
      },
    });
  } catch (error) {
    say(options, `cannot be started: ${errorText(error)}`);
    return null;
  }
}

function printTo({ onOutput }: SequenceOptions): Print {
  return (text) => onOutput(1, utf8(text));
}

function say({ onOutput }: SequenceOptions, text: string): void {
  onOutput(2, utf8(`${NAME}: ${text}\n`));
}
