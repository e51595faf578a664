// SPDX-License-Identifier: GPL-2.0-or-later
/** Taking back what a request, a plan or an undo has done, for the operator: values in, values out. @module */

import { dateMs } from "../../shared/io/clock.ts";
import { durableFolder } from "../../shared/io/durable.ts";
import { releaseLock, tryLock } from "../../shared/io/file_lock.ts";
import { exists } from "../../shared/io/files.ts";
import { newRequestId } from "../../shared/io/new_request_id.ts";
import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Recognised } from "../operations/recognise.ts";
import { readPart } from "../undo/change_reader.ts";
import { runUndo, type UndoEnd, type UndoTools } from "../undo/run_undo.ts";
import type { Seen, UndoRecord } from "../undo/undo_record.ts";
import { createUndoStore, type UndoStore } from "../undo/undo_store.ts";
import { callText } from "../undo/undo_text.ts";
import { type WayBack, wayBack } from "../undo/way_back.ts";
import { type Acting, recordAction } from "./acting.ts";

export interface UndoWanted {
  /** Of a request, a plan or an undo. */
  readonly id: string;
  /** null: the VM that made the request, if only one did. */
  readonly vm: string | null;
  /** null: all of them. */
  readonly step: number | null;
}

/** One operation that would be taken back. */
export interface ToUndo {
  readonly record: UndoRecord;
  readonly way: WayBack;
  /** What is there at this moment. */
  readonly now: Seen;
}

export interface UndoWitness {
  /** Sees what would be taken back, in that order. @throws {UserError} then nothing is */
  agree(all: readonly ToUndo[]): void;
  /** Before each step of the way back. */
  onStep(step: Recognised): void;
}

/**
 * @param tools those of Qubes
 * @returns the id under which the undo itself can be undone
 * @throws {UserError} what was not undone, and why
 */
export async function takeBack(
  acting: Acting,
  wanted: UndoWanted,
  witness: UndoWitness,
  tools: UndoTools,
): Promise<string> {
  await refuseLockdown(acting);
  await using _lock = await lockUndo(acting);
  const store = createUndoStore({ folder: acting.paths.undoFolder, dateMs });
  const records = await recordsOf(store, wanted);
  witness.agree(
    await Promise.all(
      records.toReversed().map(async (record) => ({
        record,
        way: wayBack(record),
        now: await readPart(record.operation, record.values, tools.read),
      })),
    ),
  );
  return await run(acting, records, { store, tools, onStep: witness.onStep });
}

/** With nobody to look: what may be half done needs a person. @throws {UserError} */
export function refuseUncertain(all: readonly ToUndo[]): void {
  const half = all.find(({ record }) => record.status !== "kept");
  if (half === undefined) return;
  throw new UserError(`an undo of ${callText(half.record)} was cut off, and may be half done`, [
    `look at what is there, then run "qvm-remote-dom0 undo ${half.record.id}" without --yes`,
  ]);
}

/** A lockdown stops everything; the operator lifts it first. */
export async function refuseLockdown({ paths }: Pick<Acting, "paths">): Promise<void> {
  if (!await exists(paths.lockdownFile)) return;
  throw new UserError("dom0 is locked down: nothing is undone", [
    'run "qvm-remote-dom0 unlock" first; "disable" before that keeps VMs out',
  ]);
}

/** Two at once would each see the other's changes half done. */
async function lockUndo({ paths }: Acting): Promise<AsyncDisposable> {
  await durableFolder(paths.undoFolder);
  const file = await Deno.open(`${paths.undoFolder}/.lock`, { write: true, create: true });
  if (!await tryLock(file)) {
    file.close();
    throw new UserError("another undo is running");
  }
  return { [Symbol.asyncDispose]: () => Promise.resolve(releaseLock(file)) };
}

/** What is to be taken back. @throws {UserError} if there is nothing, or several */
async function recordsOf(
  store: UndoStore,
  { id, vm, step }: UndoWanted,
): Promise<readonly UndoRecord[]> {
  const ofId = (await store.find(id)).filter((record) => vm === null || record.vm === vm);
  const vms = [...new Set(ofId.map((record) => record.vm))];
  if (vms.length > 1) {
    throw new UserError(`requests of ${vms.join(" and ")} have this id`, ["add --vm VM"]);
  }
  const found = ofId.filter((record) => step === null || record.step === step);
  const which = `${printable(id)}${step === null ? "" : `, step ${step}`}`;
  if (found.length === 0) {
    throw new UserError(`nothing was kept that could undo ${which}`, [
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

interface Run {
  readonly store: UndoStore;
  readonly tools: UndoTools;
  readonly onStep: (step: Recognised) => void;
}

async function run(
  acting: Acting,
  records: readonly UndoRecord[],
  { onStep, ...by }: Run,
): Promise<string> {
  const [first] = records;
  if (first === undefined) throw new Error("bug: nothing to undo");
  const id = newRequestId(dateMs());
  const about = {
    vm: first.vm,
    of: first.id,
    id,
    operations: records.map(({ operation }) => operation),
  };
  await recordAction(acting, "undo", about);
  const end = await runUndo(records, {
    ...by,
    id,
    dateMs,
    onStep(step) {
      onStep(step);
      return true;
    },
  });
  const action = end.kind === "undone" ? "undone" : "undo-failed";
  await recordAction(acting, action, { ...about, end: end.kind });
  if (end.kind !== "undone") throw new UserError(failureText(end), [RETRY]);
  return id;
}

const RETRY = "it is not undone; the same command goes on from there, and asks first";

function failureText(end: Exclude<UndoEnd, { readonly kind: "undone" }>): string {
  const what = callText(end.record);
  if (end.kind === "differs") return `the way back of ${what} ran, and it is not as it was before`;
  return `the way back of ${what} stopped at ${end.step.operation.name}: ${end.why}`;
}
