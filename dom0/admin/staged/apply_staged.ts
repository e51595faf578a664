// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Makes the staged changes: in order, each only if its value is still what the person saw; at the
 * first failure those before it are taken back. So the list is done, or it is not.
 *
 * @module
 */

import { CHANGES, type Step } from "../../operations/undo.ts";
import type { JsonValue } from "../../operations/operation.ts";
import { parseValue } from "../../operations/operation.ts";
import type { Value } from "../../operations/parameter.ts";
import { OPERATIONS } from "../../operations/table.ts";
import { type Asker, type Dom0Channel, Dom0Error } from "../channel/dom0_channel.ts";
import type { Notice } from "../server/sessions.ts";
import { RULE_ADD, RULE_REMOVE, shownRule } from "./firewall_rule.ts";
import type { StagedChange } from "./staged_change.ts";

type Runner = Pick<Dom0Channel, "run">;

/** The value as dom0 says it now, in the words of the list; null if it cannot be read. */
export async function currentValue(
  channel: Runner,
  change: StagedChange,
  by: Asker,
): Promise<string | null> {
  try {
    return shownPart(change, await readPart(channel, change, by));
  } catch (error) {
    if (error instanceof Dom0Error) return null;
    throw error;
  }
}

export interface Applied {
  readonly notices: readonly Notice[];
  /** What is not done. */
  readonly left: readonly StagedChange[];
}

export async function applyStaged(
  channel: Runner,
  staged: readonly StagedChange[],
  by: Asker,
): Promise<Applied> {
  const wayBack: (readonly Step[])[] = [];
  for (const [index, change] of staged.entries()) {
    const problem = await applyOne(channel, change, by, wayBack);
    if (problem === null) continue;
    const undone = await takeBack(channel, wayBack, by);
    const what = `${change.setting} of ${change.qube ?? "dom0"}`;
    const before = index === 0
      ? "Nothing was changed."
      : undone
      ? `The ${index} before it were taken back: nothing is changed.`
      : `The ${index} before it could not all be taken back: see the page Undo and the log.`;
    return { notices: [{ kind: "bad", text: `${what}: ${problem} ${before}` }], left: staged };
  }
  const text = staged.length === 1
    ? "1 change was applied."
    : `${staged.length} changes were applied.`;
  return { notices: [{ kind: "ok", text }], left: [] };
}

/** @returns what went wrong, or null */
async function applyOne(
  channel: Runner,
  change: StagedChange,
  by: Asker,
  wayBack: (readonly Step[])[],
): Promise<string | null> {
  try {
    const before = await readPart(channel, change, by);
    if (shownPart(change, before) !== change.before) return "its value changed meanwhile.";
    const back = CHANGES.get(change.operation)?.back(before, valuesOf(change)) ?? null;
    const { exitCode, stderr } = await channel.run(change.operation, change.values, by);
    if (exitCode !== 0) return `it failed with code ${exitCode}. ${stderr.trim()}`;
    wayBack.push(back ?? []);
    return null;
  } catch (error) {
    if (error instanceof Dom0Error) return error.message;
    throw error;
  }
}

/** The last one first. @returns whether all of it was done */
async function takeBack(
  channel: Runner,
  wayBack: readonly (readonly Step[])[],
  by: Asker,
): Promise<boolean> {
  for (const { operation, values } of wayBack.toReversed().flat()) {
    const words = Object.fromEntries([...values].map(([name, value]) => [name, String(value)]));
    const done = await channel.run(operation, words, by).then(
      ({ exitCode }) => exitCode === 0,
      () => false,
    );
    if (!done) return false;
  }
  return true;
}

async function readPart(channel: Runner, change: StagedChange, by: Asker): Promise<JsonValue> {
  const of = CHANGES.get(change.operation);
  if (of === undefined) throw new Error(`bug: ${change.operation} cannot be staged`);
  const reads = OPERATIONS.get(of.reads);
  const values = Object.fromEntries(
    Object.entries(change.values).filter(([name]) => reads?.parameters.has(name) === true),
  );
  const { exitCode, stderr, value } = await channel.run(of.reads, values, by);
  if (exitCode !== 0) throw new Dom0Error(stderr.trim() || `it failed with code ${exitCode}`);
  return of.part(value, valuesOf(change));
}

function valuesOf({ operation, values }: StagedChange): ReadonlyMap<string, Value> {
  const known = OPERATIONS.get(operation);
  if (known === undefined) throw new Error(`bug: no operation ${operation}`);
  return new Map(
    Object.entries(values).map(([name, word]) => [name, parseValue(known, name, word)]),
  );
}

/** A property's value; "present" or "absent" for a tag; "on" or "off" for a service; a rule's text. */
function shownPart(change: StagedChange, part: JsonValue): string {
  const { setting, operation } = change;
  if (operation === RULE_ADD || operation === RULE_REMOVE) return shownRule(change, part);
  if (setting.startsWith("tag ")) return part === true ? "present" : "absent";
  if (setting.startsWith("service ")) return part === "on" ? "on" : "off";
  if (typeof part === "object" && part !== null && !Array.isArray(part)) {
    const { value = null } = part as Readonly<Record<string, JsonValue>>;
    return value === null ? "" : String(value);
  }
  return part === null ? "" : String(part);
}
