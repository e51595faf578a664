// SPDX-License-Identifier: GPL-2.0-or-later
/** Carrying steps out, each in the record before it is begun. @module */

import {
  durableLink,
  durableRemove,
  durableRename,
  durableWrite,
} from "../../shared/io/durable.ts";
import { readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/io/program.ts";
import { type Journal, offRecord, onRecord } from "../../shared/setup/journal.ts";
import { type Fact, restart, savedPath, type Value, type Wanted } from "./fact.ts";
import { type Step, stepFor, type Undo } from "./plan.ts";
import { createReader, MAX_FILE_BYTES } from "./reader.ts";
import { record } from "./record.ts";
import { runOrFail, type Tools } from "./tools.ts";
import { BLOCK_EXIT } from "./vm_block.ts";

/** @returns the steps that were carried out @throws {UserError} at the first that fails */
export async function apply(
  wanted: readonly Wanted[],
  journal: Journal<Fact>,
  tools: Tools,
  say: (step: Step) => void,
): Promise<readonly Step[]> {
  const reader = createReader(tools);
  const done: Step[] = [];
  for (const one of wanted) {
    const step = await stepFor(reader, one, journal.entries);
    if (step === undefined) continue;
    say(step);
    const { fact, from } = step;
    await onRecord(
      record,
      journal,
      step,
      () => carryOut(step, isOriginal(journal, fact, from), tools),
    );
    if (fact.kind === "vm") reader.forget();
    done.push(step);
  }
  return done;
}

/** @returns what could not be taken back, and why */
export async function undo(
  undos: readonly Undo[],
  journal: Journal<Fact>,
  tools: Tools,
  say: (undo: Undo) => void,
): Promise<void> {
  for (const one of undos) {
    say(one);
    const { entry: { fact }, action } = one;
    if (action.kind === "kept") continue;
    if (action.kind === "step") {
      await takeBack(action.step, tools);
    }
    await offRecord(record, journal, fact);
  }
}

async function carryOut(step: Step, savesFile: boolean, tools: Tools): Promise<void> {
  const { fact, from, to } = step;
  if (fact.kind !== "file") {
    const meanings = fact.kind === "block" ? blockMeanings(fact.vm, fact.path) : undefined;
    for (const command of step.commands) await runOrFail(tools, command, meanings);
    return;
  }
  if (savesFile && from !== null) await save(fact.path, from);
  if (to === null) {
    await durableRemove(fact.path);
  } else {
    await durableWrite(fact.path, to, fact.mode);
  }
  for (const command of restart(fact.reader)) await runOrFail(tools, command);
}

function blockMeanings(vm: string, path: string): ReadonlyMap<number, string> {
  const text = `${path} in ${vm} is not executable, so its lines are not run; ` +
    "setup-dom0 would wake them: empty it or make it executable yourself";
  return new Map([[BLOCK_EXIT.notExecutable, text]]);
}

async function takeBack(step: Step, tools: Tools): Promise<void> {
  const { fact, to } = step;
  if (fact.kind !== "file" || to === null) return await carryOut(step, false, tools);
  try {
    await durableRename(savedPath(fact.path), fact.path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await durableWrite(fact.path, to, fact.mode); // it was cleared away; the record has it
  }
  for (const command of restart(fact.reader)) await runOrFail(tools, command);
}

/** Whether the place still holds what it held before setup first touched it. */
function isOriginal({ entries }: Journal<Fact>, fact: Fact, from: Value): boolean {
  return from !== null && record.find(entries, fact)?.from === from;
}

/** A second name for the file as it was, with its owner and mode; then a new one takes its place. */
async function save(path: string, text: string): Promise<void> {
  const saved = savedPath(path);
  try {
    await durableLink(path, saved);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const there = await readSmallText(saved, MAX_FILE_BYTES).catch(() => undefined);
    if (there === text) return; // of a run that was cut off here
    throw new UserError(`${saved} is in the way`, ["move it to another place"]);
  }
}
