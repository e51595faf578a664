// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How a setup program works: wanted facts become steps, each step is recorded before it begins, and
 * the record leads back. Each program says what its places are, and how one is read and changed.
 *
 * @module
 */

import { UserError } from "../cli/program.ts";
import { within } from "../io/timing.ts";
import type { Finding } from "./findings.ts";
import { findingsFor } from "./findings.ts";
import { type Journal, offRecord, onRecord } from "./journal.ts";
import type { Entry, RecordFile, Value } from "./record.ts";
import type { Command } from "./tools.ts";

/** A place, and the value it should have. */
export interface WantedOf<F> {
  readonly fact: F;
  readonly to: Value;
  /** What it does for people; ends in no period. */
  readonly why: string;
  /** The text of a file, made only when it is written: it may hold a secret. */
  readonly text?: () => string;
}

export interface StepOf<F> extends WantedOf<F> {
  readonly from: Value;
  readonly commands: readonly Command[];
}

/** What a program knows of its places. */
export interface Engine<F> {
  readonly record: RecordFile<F>;
  /** One line for a place and its value. */
  readonly describe: (fact: F, value: Value) => string;
  /** The step that brings it about; undefined: it is so already. */
  readonly stepFor: (
    wanted: WantedOf<F>,
    entries: readonly Entry<F>[],
  ) => Promise<StepOf<F> | undefined>;
  /** @param entries the record, in which the step already stands */
  readonly carryOut: (step: StepOf<F>, entries: readonly Entry<F>[]) => Promise<void>;
  readonly takeBack: (step: StepOf<F>) => Promise<void>;
}

export async function stepsFor<F>(
  engine: Engine<F>,
  wanted: readonly WantedOf<F>[],
  entries: readonly Entry<F>[],
): Promise<readonly StepOf<F>[]> {
  const steps: StepOf<F>[] = [];
  for (const one of wanted) {
    const step = await engine.stepFor(one, entries);
    if (step !== undefined) steps.push(step);
  }
  return steps;
}

/** @returns the steps that were carried out @throws {UserError} at the first that fails */
export async function apply<F>(
  engine: Engine<F>,
  wanted: readonly WantedOf<F>[],
  journal: Journal<F>,
  say: (step: StepOf<F>) => void,
): Promise<readonly StepOf<F>[]> {
  const done: StepOf<F>[] = [];
  for (const one of wanted) {
    const step = await engine.stepFor(one, journal.entries);
    if (step === undefined) continue;
    say(step);
    await onRecord(engine.record, journal, step, () => engine.carryOut(step, journal.entries));
    done.push(step);
  }
  return done;
}

/** Each wanted fact, read back. */
export function verify<F>(
  engine: Engine<F>,
  wanted: readonly WantedOf<F>[],
  entries: readonly Entry<F>[],
): Promise<readonly Finding[]> {
  return findingsFor(
    wanted,
    (one) => engine.stepFor(one, entries),
    ({ fact, to }) => engine.describe(fact, to),
  );
}

export type UndoActionOf<F> =
  | { readonly kind: "step"; readonly step: StepOf<F> }
  /** Nothing left to do. */
  | { readonly kind: "gone"; readonly why: string }
  /** Left alone, and it stays in the record. */
  | { readonly kind: "left"; readonly why: string };

export interface UndoOf<F> {
  readonly entry: Entry<F>;
  readonly action: UndoActionOf<F>;
}

/** Why a place is left alone that holds neither what was put there nor what was there before. */
export const CHANGED_SINCE = "somebody else has changed it since; look at it yourself";

/** The way back: the last change first. */
export async function planUndo<F>(
  entries: readonly Entry<F>[],
  actionFor: (entry: Entry<F>) => Promise<UndoActionOf<F>>,
): Promise<readonly UndoOf<F>[]> {
  const undos: UndoOf<F>[] = [];
  for (const entry of entries.toReversed()) undos.push({ entry, action: await actionFor(entry) });
  return undos;
}

/** What is left alone stays in the record. */
export async function undo<F>(
  engine: Pick<Engine<F>, "record" | "takeBack">,
  undos: readonly UndoOf<F>[],
  journal: Journal<F>,
  say: (undo: UndoOf<F>) => void,
): Promise<void> {
  for (const one of undos) {
    say(one);
    const { entry: { fact }, action } = one;
    if (action.kind === "left") continue;
    if (action.kind === "step") await engine.takeBack(action.step);
    await offRecord(engine.record, journal, fact);
  }
}

/** Longest wait for another setup that is at work. */
const LOCK_WAIT_MS = 5_000;

/** One setup at a time: two would write one record. @throws {UserError} if another does not end */
export async function takeLock(path: string, program: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
  if (await within(LOCK_WAIT_MS, file.lock(true))) return file;
  throw new UserError(`another ${program} is at work`);
}
