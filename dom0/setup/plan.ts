// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * From what is wanted and what is there to steps; from the record to the steps back. Pure but
 * for the questions to the reader.
 *
 * @module
 */

import {
  CHANGED_SINCE,
  planUndo as planWayBack,
  type StepOf,
  type UndoActionOf,
  type UndoOf,
} from "../../shared/setup/engine.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import {
  type Command,
  commandsFor,
  type Fact,
  factKey,
  OTHER,
  shutDownVm,
  startVm,
  takeBackCommands,
  type Value,
  vmOf,
  type Wanted,
} from "./fact.ts";
import type { Reader, Reading } from "./reader.ts";
import type { Entry } from "./record.ts";
import { KEY_QUBE_FEATURE, KEYLESS_TAG, KEYS_POLICY } from "./keyless.ts";

export type Step = StepOf<Fact>;
export type Undo = UndoOf<Fact>;

/** What a fact is, as far as it can be known: a halted VM is assumed to be as we left it. */
export async function readOrRecall(
  reader: Reader,
  fact: Fact,
  record: readonly Entry[],
): Promise<Reading> {
  const reading = await reader.read(fact);
  if (reading !== undefined || fact.kind !== "block") return reading;
  if (!await reader.exists(fact.vm)) return undefined;
  const entry = record.find((known) => factKey(known.fact) === factKey(fact));
  if (entry?.fact.kind !== "block") return null;
  return entry.fact.text === fact.text ? entry.to : OTHER;
}

/** The step that brings it about; undefined if it is so already. */
export async function stepFor(
  reader: Reader,
  { fact, to, why }: Wanted,
  record: readonly Entry[],
): Promise<Step | undefined> {
  const reading = await readOrRecall(reader, fact, record);
  // An existing VM is adopted: its class and template stay.
  if (reading === to) return undefined;
  const from = reading ?? null;
  return { fact, from, to, why, commands: await commandsNow(reader, fact, from, to) };
}

/** A block can only be written while its VM runs; then the VM is left as it was found. */
async function commandsNow(
  reader: Reader,
  fact: Fact,
  from: Value,
  to: Value,
): Promise<readonly Command[]> {
  const commands = commandsFor(fact, from, to);
  if (fact.kind !== "block" || await reader.isRunning(fact.vm)) return commands;
  return [startVm(fact.vm), ...commands, shutDownVm(fact.vm)];
}

/**
 * What earlier runs did that this one does not want any more: the blocks and the address of
 * network mode, after a change to tunnel mode or to another netvm; what made an agent VM one
 * without keys, after a change to a proxy of its own.
 */
export function leftovers(wanted: readonly Wanted[], record: readonly Entry[]): readonly Wanted[] {
  const keys = new Set(wanted.map(({ fact }) => factKey(fact)));
  const isLeft = ofKeylessVms(wanted, record);
  return record
    .filter(({ fact }) => !keys.has(factKey(fact)))
    .filter(({ fact }) =>
      fact.kind === "block" || (fact.kind === "pref" && fact.name === "ip") || isLeft(fact)
    )
    .map(({ fact, from }) => ({ fact, to: from, why: "no longer wanted" }));
}

/** Other agent VMs of the record stay as they are, and keep the policy they share. */
function ofKeylessVms(
  wanted: readonly Wanted[],
  record: readonly Entry[],
): (fact: Fact) => boolean {
  const isTag = (fact: Fact): boolean => fact.kind === "tag" && fact.name === KEYLESS_TAG;
  const vmsWith = (list: readonly { readonly fact: Fact }[]) =>
    new Set(list.flatMap(({ fact }) => isTag(fact) ? [vmOf(fact)] : []));
  const [were, are] = [vmsWith(record), vmsWith(wanted)];
  const here = new Set(wanted.map(({ fact }) => vmOf(fact)));
  const changed = new Set([...were].filter((vm) => here.has(vm) && !are.has(vm)));
  const isLast = changed.size > 0 && [...were].every((vm) => changed.has(vm));
  return (fact) => {
    if (fact.kind === "file") return isLast && fact.path.endsWith(`/${KEYS_POLICY}`);
    if (!changed.has(vmOf(fact)) || !("name" in fact)) return false;
    return isTag(fact) || (fact.kind === "pref" && fact.name === "netvm") ||
      (fact.kind === "service" && fact.name === "openclaw-tunnels") ||
      (fact.kind === "feature" && fact.name === KEY_QUBE_FEATURE);
  };
}

/** The way back: the last change first. @param removeVms whether VMs that setup made go, too */
export function planUndo(
  reader: Reader,
  record: readonly Entry[],
  removeVms: boolean,
): Promise<readonly Undo[]> {
  const removed = new Set(
    record.flatMap(({ fact }) => removeVms && fact.kind === "vm" ? [fact.vm] : []),
  );
  return planWayBack(record, (entry) => undoAction(reader, entry, record, removed));
}

async function undoAction(
  reader: Reader,
  { fact, from, to }: Entry,
  record: readonly Entry[],
  removed: ReadonlySet<VmName>,
): Promise<UndoActionOf<Fact>> {
  const vm = vmOf(fact);
  if (vm !== undefined && !await reader.exists(vm)) return gone(`${vm} is not there any more`);
  if (vm !== undefined && removed.has(vm) && fact.kind !== "vm") return gone(`${vm} is removed`);
  const now = await readOrRecall(reader, fact, record);
  if (now === from) return gone("it is as it was before");
  if (now !== to) {
    return { kind: "left", why: CHANGED_SINCE };
  }
  if (fact.kind === "vm" && !removed.has(fact.vm)) {
    return { kind: "left", why: "the VM and its data; setup-dom0 --undo --remove-vms removes it" };
  }
  const commands = fact.kind === "file" && from !== null
    ? takeBackCommands(fact.path, fact.reader)
    : await commandsNow(reader, fact, to, from);
  return { kind: "step", step: { fact, from: to, to: from, why: "take back", commands } };
}

function gone(why: string): UndoActionOf<Fact> {
  return { kind: "gone", why };
}
