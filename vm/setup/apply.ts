// SPDX-License-Identifier: GPL-2.0-or-later
/** Carrying steps out, each in the record before it is begun. @module */

import { durableRemove, durableWrite, syncFolderOf } from "../../shared/io/durable.ts";
import { ifPresent, makePrivateFolder } from "../../shared/io/files.ts";
import { UserError } from "../../shared/io/program.ts";
import { type Journal, offRecord, onRecord } from "../../shared/setup/journal.ts";
import { AbsentProgram, runOrFail, type Tools } from "../../shared/setup/tools.ts";
import { type Fact, record, type Wanted } from "./fact.ts";
import { removesAll, type Step, stepFor, type Undo } from "./plan.ts";
import type { Read } from "./reader.ts";

/** @returns the steps that were carried out @throws {UserError} at the first that fails */
export async function apply(
  wanted: readonly Wanted[],
  journal: Journal<Fact>,
  { tools, read }: { readonly tools: Tools; readonly read: Read },
  say: (step: Step) => void,
): Promise<readonly Step[]> {
  const done: Step[] = [];
  for (const one of wanted) {
    const step = await stepFor(read, one);
    if (step === undefined) continue;
    say(step);
    await onRecord(record, journal, step, () => carryOut(step, tools));
    done.push(step);
  }
  return done;
}

export async function undo(
  undos: readonly Undo[],
  journal: Journal<Fact>,
  tools: Tools,
  say: (undo: Undo) => void,
): Promise<void> {
  for (const one of undos) {
    say(one);
    const { entry: { fact }, action } = one;
    if (action.kind === "left") continue;
    if (action.kind === "step") await carryOut(action.step, tools);
    await offRecord(record, journal, fact);
  }
}

async function carryOut(step: Step, tools: Tools): Promise<void> {
  const { fact, to, commands } = step;
  switch (fact.kind) {
    case "folder":
      return await changeFolder(step, fact);
    case "kept":
      if (to === null) return void await durableRemove(fact.path);
      return await durableWrite(fact.path, step.text?.() ?? "");
    case "file":
      if (fact.root) break;
      if (to === null) return void await durableRemove(fact.path);
      return await durableWrite(fact.path, to);
  }
  try {
    for (const command of commands) await runOrFail(tools, command);
  } catch (error) {
    if (fact.kind !== "packages" || !(error instanceof AbsentProgram)) throw error;
    throw leftOut(fact);
  }
}

function leftOut({ name, prefix }: Fact & { kind: "packages" }): UserError {
  return new UserError(`npm left ${name} out: the registry has it not, or with another hash`, [
    `see what it says: npm ci --prefix ${prefix}/${name} --ignore-scripts --loglevel=verbose`,
  ]);
}

async function changeFolder(step: Step, fact: Fact & { kind: "folder" }): Promise<void> {
  const { to } = step;
  if (to !== null) {
    await makePrivateFolder(fact.path);
    if (fact.private) await Deno.chmod(fact.path, parseInt(to, 8));
    return await syncFolderOf(fact.path);
  }
  try {
    await ifPresent(Deno.remove(fact.path, { recursive: removesAll(step) }));
    await ifPresent(syncFolderOf(fact.path));
  } catch (error) {
    // Something of others is in it: then it is theirs now.
    if (!(error instanceof Error && "code" in error && error.code === "ENOTEMPTY")) throw error;
  }
}
