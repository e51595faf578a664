// SPDX-License-Identifier: GPL-2.0-or-later
/** undo: takes back what a request, or an undo, has done. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { durableFolder } from "../../../shared/io/durable.ts";
import { tryLock } from "../../../shared/io/file_lock.ts";
import { exists } from "../../../shared/io/files.ts";
import { expectWords, parseNumber, parseWords } from "../../../shared/io/options.ts";
import { UserError } from "../../../shared/io/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { makeRequestId } from "../../../shared/protocol/request_id.ts";
import { readPart } from "../../undo/change_reader.ts";
import { UNDO_TOOLS } from "../../undo/qubes_tools.ts";
import {
  OPERATOR,
  runUndo,
  type UndoEnd,
  type UndoRun,
  type UndoTools,
} from "../../undo/run_undo.ts";
import type { UndoRecord } from "../../undo/undo_record.ts";
import { createUndoStore, type UndoStore } from "../../undo/undo_store.ts";
import { callText, commandsText, undoText } from "../../undo/undo_text.ts";
import { wayBack } from "../../undo/way_back.ts";
import { recordAction } from "../../operator/acting.ts";
import { type Operator, requireRoot } from "../operator.ts";

export const UNDO_WORDS = "REQUEST [--vm VM] [--step N] [--yes]";

/** @param tools those of Qubes */
export async function undo(
  operator: Operator,
  words: readonly string[],
  tools: UndoTools = UNDO_TOOLS,
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
  await refuseLockdown(operator);
  await using _lock = await lockUndo(operator);
  const store = createUndoStore({ folder: operator.paths.undoFolder, dateMs });
  const records = await recordsOf(store, {
    id: options.rest[0] ?? "",
    vm: options.value("vm") ?? null,
    step: step === undefined ? null : parseNumber("--step", step, 1, 1e6),
  });
  await show(operator, records, tools);
  if (!options.has("yes")) confirm(operator, records);
  else refuseUncertain(records);
  return await takeBack(operator, records, { store, tools });
}

/** A lockdown stops everything; the operator lifts it first. */
async function refuseLockdown({ paths }: Operator): Promise<void> {
  if (!await exists(paths.lockdownFile)) return;
  throw new UserError("dom0 is locked down: nothing is undone", [
    'run "qvm-remote-dom0 unlock" first; "disable" before that keeps VMs out',
  ]);
}

/** Two at once would each look at what the other changes. */
async function lockUndo({ paths }: Operator): Promise<AsyncDisposable> {
  await durableFolder(paths.undoFolder);
  const file = await Deno.open(`${paths.undoFolder}/.lock`, { write: true, create: true });
  if (!await tryLock(file)) throw new UserError("another undo is running");
  return { [Symbol.asyncDispose]: () => Promise.resolve(file.close()) };
}

interface Wanted {
  readonly id: string;
  readonly vm: string | null;
  readonly step: number | null;
}

/** What is to be taken back. @throws {UserError} if that is nothing, or not clear */
async function recordsOf(
  store: UndoStore,
  { id, vm, step }: Wanted,
): Promise<readonly UndoRecord[]> {
  const ofId = (await store.find(id)).filter((record) => vm === null || record.vm === vm);
  const vms = [...new Set(ofId.map((record) => record.vm))];
  if (vms.length > 1) {
    throw new UserError(`requests of ${vms.join(" and ")} have this id`, ["add --vm VM"]);
  }
  const found = ofId.filter((record) => step === null || record.step === step);
  const which = `${printable(id)}${step === null ? "" : `, step ${step}`}`;
  if (found.length === 0) {
    throw new UserError(`nothing is kept that would undo ${which}`, [
      'see "qvm-remote-dom0 history --undoable"; it is kept for 30 days, of the newest 1,000',
    ]);
  }
  const left = found.filter(({ status }) => status !== "undone");
  if (left.length === 0) throw new UserError(`${which} is undone already`);
  for (const record of left) {
    const way = wayBack(record);
    if (way.kind === "steps") continue;
    const others = left.length === 1 ? [] : ["--step N undoes one step of it"];
    throw new UserError(`${callText(record)} cannot be undone: ${way.why}`, others);
  }
  return left;
}

async function show(
  operator: Operator,
  records: readonly UndoRecord[],
  { read }: UndoTools,
): Promise<void> {
  for (const record of records.toReversed()) {
    const now = await readPart(record.operation, record.values, read);
    operator.print(undoText(record, wayBack(record), now));
  }
}

function confirm(operator: Operator, records: readonly UndoRecord[]): void {
  const what = records.length === 1 ? "this" : `these ${records.length}, in this order`;
  if (operator.ask(`Type "yes" to undo ${what}: `)?.trim() !== "yes") {
    throw new UserError("nothing is undone");
  }
}

/** What may be half done needs a person who looks. */
function refuseUncertain(records: readonly UndoRecord[]): void {
  const half = records.find(({ status }) => status !== "kept");
  if (half === undefined) return;
  throw new UserError(`an undo of ${callText(half)} was cut off, and may be half done`, [
    "look at what is there, then run it without --yes",
  ]);
}

async function takeBack(
  operator: Operator,
  records: readonly UndoRecord[],
  run: Pick<UndoRun, "store" | "tools">,
): Promise<number> {
  const [first] = records;
  if (first === undefined) throw new Error("bug: nothing to undo");
  const id = makeRequestId(dateMs(), Deno.pid, crypto.getRandomValues(new Uint32Array(1))[0] ?? 0);
  const about = {
    vm: first.vm,
    of: first.id,
    id,
    operations: records.map(({ operation }) => operation),
  };
  await recordAction(operator, "undo", about);
  const end = await runUndo(records, {
    ...run,
    id,
    dateMs,
    onStep(step) {
      operator.print(`running: ${commandsText(step)}\n`);
      return true;
    },
  });
  await recordAction(operator, end.kind === "undone" ? "undone" : "undo-failed", {
    ...about,
    end: end.kind,
  });
  if (end.kind !== "undone") throw new UserError(failureText(end), [RETRY]);
  operator.print(`Undone. To take that back: qvm-remote-dom0 undo ${id} --vm ${OPERATOR}\n`);
  return 0;
}

const RETRY = "it is not undone; the same command goes on from there, and asks first";

function failureText(end: Exclude<UndoEnd, { readonly kind: "undone" }>): string {
  const what = callText(end.record);
  if (end.kind === "differs") return `the way back of ${what} ran, and it is not as it was before`;
  return `the way back of ${what} stopped at ${end.step.operation.name}: ${end.why}`;
}
