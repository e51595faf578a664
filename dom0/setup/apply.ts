// SPDX-License-Identifier: GPL-2.0-or-later
/** Carrying a step of setup-dom0 out, or back. @module */

import {
  durableLink,
  durableRemove,
  durableRename,
  durableWrite,
} from "../../shared/io/durable.ts";
import { readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import type { Engine } from "../../shared/setup/engine.ts";
import { describe } from "./describe.ts";
import { type Fact, restart, savedPath, type Value } from "./fact.ts";
import { type Step, stepFor } from "./plan.ts";
import { createReader, MAX_FILE_BYTES, type Reader } from "./reader.ts";
import { type Entry, record } from "./record.ts";
import { runOrFail, type Tools } from "./tools.ts";
import { BLOCK_EXIT } from "./vm_block.ts";

/** How setup-dom0 goes about its places. @param reader asks each question once */
export function createEngine(tools: Tools, reader: Reader = createReader(tools)): Engine<Fact> {
  return {
    record,
    describe,
    stepFor: (wanted, entries) => stepFor(reader, wanted, entries),
    async carryOut(step, entries) {
      await carryOut(step, isOriginal(entries, step.fact, step.from), tools);
      if (step.fact.kind === "vm") reader.forget();
    },
    takeBack: (step) => takeBack(step, tools),
  };
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
    await durableWrite(fact.path, to, fact.mode); // it was removed; the record has its text
  }
  for (const command of restart(fact.reader)) await runOrFail(tools, command);
}

/** Whether the place still holds what it held before setup first touched it. */
function isOriginal(entries: readonly Entry[], fact: Fact, from: Value): boolean {
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
