// SPDX-License-Identifier: GPL-2.0-or-later
/** undo: takes back what a request, or an undo, has done, or a change of one of dom0's own files. @module */

import { expectWords, parseNumber, parseWords } from "../../../shared/cli/options.ts";
import { UserError } from "../../../shared/cli/program.ts";
import {
  type FileChange,
  listFileChanges,
  undoFileChange,
  whatHappened,
} from "../../operator/file_changes.ts";
import { changedLines } from "../../operator/text_diff.ts";
import {
  refuseLockdown,
  refuseUncertain,
  takeBack,
  type UndoWanted,
  type UndoWitness,
} from "../../operator/undo.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { OPERATOR } from "../../undo/run_undo.ts";
import { commandsText, undoText } from "../../undo/undo_text.ts";
import { type Operator, requireRoot } from "../operator.ts";
import { withOwnUndoTools, type WithUndoTools } from "../own_undo_tools.ts";

export const UNDO_WORDS = "REQUEST [--vm VM] [--step N] [--yes]";

/** @param withTools gives those that run the way back */
export async function undo(
  operator: Operator,
  words: readonly string[],
  withTools: WithUndoTools = withOwnUndoTools,
): Promise<number> {
  const options = parseWords(
    words,
    { vm: "value", step: "value", yes: "flag" },
    {},
    "anywhere",
  );
  expectWords(options.rest, 1, 1, `qvm-remote-dom0 undo ${UNDO_WORDS}`);
  const step = options.value("step");
  requireRoot(operator, "undo");
  const wanted = {
    id: options.rest[0] ?? "",
    vm: options.value("vm") ?? null,
    step: step === undefined ? null : parseNumber("--step", step, 1, 1e6),
  };
  const ofFile = await fileChangeOf(operator, wanted);
  if (ofFile !== null) return await undoFile(operator, ofFile, options.has("yes"));
  const witness: UndoWitness = {
    agree(all) {
      for (const { record, way, now } of all) operator.print(undoText(record, way, now));
      if (options.has("yes")) refuseUncertain(all);
      else {
        confirm(operator, all.length === 1 ? "this" : `these ${all.length}, in this order`);
      }
    },
    onStep: (step) => operator.print(`running: ${commandsText(step)}\n`),
  };
  const id = await withTools(operator, (tools) => takeBack(operator, wanted, witness, tools));
  operator.print(`Undone. To take that back: qvm-remote-dom0 undo ${id} --vm ${OPERATOR}\n`);
  return 0;
}

/** null: no change of a file has this id. */
async function fileChangeOf(
  { paths }: Operator,
  { id, vm, step }: UndoWanted,
): Promise<FileChange | null> {
  if (step !== null || (vm !== null && vm !== OPERATOR)) return null;
  return (await listFileChanges(paths)).find(({ change }) => change.id === id) ?? null;
}

async function undoFile(
  operator: Operator,
  one: FileChange,
  isSure: boolean,
): Promise<number> {
  const { change: { file, by, before, after } } = one;
  await refuseLockdown(operator);
  operator.print(
    `${file} was ${whatHappened(one.change)} by ${printable(by)}. The undo changes:\n`,
  );
  operator.print(changedLines(after ?? "", before ?? ""));
  if (before === null) operator.print(`  and there is no file ${file} after it\n`);
  if (!isSure) confirm(operator, "this");
  const id = await undoFileChange(operator, one);
  operator.print(`Undone. To take that back: qvm-remote-dom0 undo ${id}\n`);
  return 0;
}

function confirm(operator: Operator, what: string): void {
  if (operator.ask(`Type "yes" to undo ${what}: `)?.trim() !== "yes") {
    throw new UserError("nothing is undone");
  }
}
