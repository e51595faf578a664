// SPDX-License-Identifier: GPL-2.0-or-later
/** From what is wanted and what is there to steps; from the record to the steps back. @module */

import {
  CHANGED_SINCE,
  planUndo as planWayBack,
  type StepOf,
  type UndoActionOf,
  type UndoOf,
} from "../../shared/setup/engine.ts";
import type { Entry } from "../../shared/setup/record.ts";
import { commandsFor, type Fact, factKey, needsRoot, type Wanted } from "./fact.ts";
import type { Read } from "./reader.ts";

export type Step = StepOf<Fact>;
export type Undo = UndoOf<Fact>;

/** The step that brings it about; undefined if it is so already. */
export async function stepFor(read: Read, wanted: Wanted): Promise<Step | undefined> {
  const { fact, to } = wanted;
  const from = await read(fact);
  return from === to ? undefined : { ...wanted, from, commands: commandsFor(fact, to) };
}

/**
 * What an earlier run did that this one does not want any more: units of the other manager, the
 * proxy of a VM that has a key qube now, OpenClaw in the other place. What the user fills in stays.
 */
export function leftovers(
  wanted: readonly Wanted[],
  record: readonly Entry<Fact>[],
): readonly Wanted[] {
  const keys = new Set(wanted.map(({ fact }) => factKey(fact)));
  return [...record].reverse()
    .filter(({ fact }) => fact.kind !== "kept" && fact.kind !== "folder")
    .filter(({ fact }) => !keys.has(factKey(fact)))
    .map(({ fact, from }) => ({ fact, to: from, why: "no longer wanted" }));
}

/** The way back: the last change first. @param removeData whether keys and history go, too */
export function planUndo(
  read: Read,
  record: readonly Entry<Fact>[],
  removeData: boolean,
): Promise<readonly Undo[]> {
  return planWayBack(record, (entry) => undoAction(read, entry, removeData));
}

const DATA = "keys, tokens and history; setup-vm --undo --remove-data removes it";

async function undoAction(
  read: Read,
  { fact, from, to }: Entry<Fact>,
  removeData: boolean,
): Promise<UndoActionOf<Fact>> {
  const now = await read(fact);
  if (now === from) return { kind: "gone", why: "it is as it was before" };
  const isData = fact.kind === "kept" || (fact.kind === "folder" && fact.private);
  if (isData && !removeData) return { kind: "left", why: DATA };
  // Half of the packages are there after a cut, and those, too, have to go.
  if (now !== to && !isData && fact.kind !== "packages") {
    return { kind: "left", why: CHANGED_SINCE };
  }
  const commands = commandsFor(fact, from);
  return { kind: "step", step: { fact, from: now, to: from, why: "take back", commands } };
}

/** A folder that was made for the data goes with all that is in it. */
export function removesAll({ fact, to }: Step): boolean {
  return fact.kind === "folder" && fact.private && to === null;
}

/** Steps that this run can carry out, and those that are root's where nobody can become root. */
export function split<T extends { readonly fact: Fact }>(
  all: readonly T[],
  hasRoot: boolean,
): { readonly own: readonly T[]; readonly roots: readonly T[] } {
  return {
    own: all.filter(({ fact }) => hasRoot || !needsRoot(fact)),
    roots: all.filter(({ fact }) => !hasRoot && needsRoot(fact)),
  };
}
