// SPDX-License-Identifier: GPL-2.0-or-later
/** From what is wanted and what is there to steps; from the record to the steps back. @module */

import type { Entry, Value } from "../../shared/setup/record.ts";
import type { Command } from "../../shared/setup/tools.ts";
import { commandsFor, type Fact, factKey, needsRoot, type Wanted } from "./fact.ts";
import type { Read } from "./reader.ts";

export interface Step {
  readonly fact: Fact;
  readonly from: Value;
  readonly to: Value;
  readonly why: string;
  readonly commands: readonly Command[];
  readonly text?: () => string;
}

/** The step that brings it about; undefined if it is so already. */
export async function stepFor(read: Read, wanted: Wanted): Promise<Step | undefined> {
  const { fact, to } = wanted;
  const from = await read(fact);
  return from === to ? undefined : { ...wanted, from, commands: commandsFor(fact, to) };
}

export async function stepsFor(read: Read, wanted: readonly Wanted[]): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const one of wanted) {
    const step = await stepFor(read, one);
    if (step !== undefined) steps.push(step);
  }
  return steps;
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

export type UndoAction =
  | { readonly kind: "step"; readonly step: Step }
  /** Nothing to do any more. */
  | { readonly kind: "gone"; readonly why: string }
  /** Left alone, and it stays in the record. */
  | { readonly kind: "left"; readonly why: string };

export interface Undo {
  readonly entry: Entry<Fact>;
  readonly action: UndoAction;
}

/** The way back: the last change first. @param removeData whether keys and history go, too */
export async function planUndo(
  read: Read,
  record: readonly Entry<Fact>[],
  removeData: boolean,
): Promise<readonly Undo[]> {
  const undos: Undo[] = [];
  for (const entry of [...record].reverse()) {
    undos.push({ entry, action: await undoAction(read, entry, removeData) });
  }
  return undos;
}

const DATA = "keys, tokens and history; setup-vm --undo --remove-data removes it";

async function undoAction(
  read: Read,
  { fact, from, to }: Entry<Fact>,
  removeData: boolean,
): Promise<UndoAction> {
  const now = await read(fact);
  if (now === from) return { kind: "gone", why: "it is as it was before" };
  const isData = fact.kind === "kept" || (fact.kind === "folder" && fact.private);
  if (isData && !removeData) return { kind: "left", why: DATA };
  // Half of the packages are there after a cut, and those, too, have to go.
  if (now !== to && !isData && fact.kind !== "packages") {
    return { kind: "left", why: "it was changed by someone else since; see to it yourself" };
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
