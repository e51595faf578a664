// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What setup changed, and what each place held before: enough to take it back. An entry is on
 * the disk before its change is begun, so a cut in the middle loses nothing; whether the change
 * happened is seen by looking, at the next run.
 *
 * @module
 */

import { ifPresent, readPrivate, writeAtomically } from "../../shared/io/files.ts";
import { errorText, UserError } from "../../shared/io/program.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { type Fact, factKey, type Value } from "./fact.ts";

export interface Entry {
  readonly fact: Fact;
  /** Before setup first touched it. */
  readonly from: Value;
  readonly to: Value;
}

const FORMAT = 1;
const MAX_RECORD_BYTES = 1024 * 1024;
const KINDS: readonly Fact["kind"][] = [
  ...["vm", "pref", "tag", "feature", "service", "firewall", "file"] as const,
  ...["enabled", "active", "block"] as const,
];

/** The record with one change more. What a place held before the first change is kept. */
export function withChange(entries: readonly Entry[], change: Entry): readonly Entry[] {
  const key = factKey(change.fact);
  const earlier = entries.find((entry) => factKey(entry.fact) === key);
  if (earlier === undefined) return [...entries, change];
  return entries.map((entry) => entry === earlier ? { ...change, from: earlier.from } : entry);
}

export function without(entries: readonly Entry[], fact: Fact): readonly Entry[] {
  const key = factKey(fact);
  return entries.filter((entry) => factKey(entry.fact) !== key);
}

/** @throws {UserError} if it is not one of ours */
export async function readRecord(path: string): Promise<readonly Entry[]> {
  const text = await ifPresent(readPrivate(path, MAX_RECORD_BYTES));
  if (text === undefined) return [];
  try {
    return parseRecord(text);
  } catch (error) {
    throw new UserError(`${path} is not a record of setup-dom0: ${errorText(error)}`, [
      "move it away if it is of no use; what was changed then stays as it is",
    ]);
  }
}

export function parseRecord(text: string): readonly Entry[] {
  const record = JSON.parse(text);
  if (record?.format !== FORMAT) throw new Error(`format ${FORMAT} is known`);
  if (!Array.isArray(record.entries)) throw new Error("no entries");
  for (const { fact, from, to } of record.entries) {
    if (!KINDS.includes(fact?.kind)) throw new Error("an unknown kind of fact");
    if ("vm" in fact) parseVmName(fact.vm);
    for (const value of [from, to]) {
      if (value !== null && typeof value !== "string") throw new Error("a value is no text");
    }
    if (fact.template !== undefined) parseVmName(fact.template);
    for (const field of Object.values(fact)) {
      if (typeof field !== "string" && typeof field !== "number") throw new Error("a bad fact");
    }
  }
  return record.entries;
}

/** With nothing in it, there is no record. */
export async function writeRecord(path: string, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return void await ifPresent(Deno.remove(path));
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  const text = JSON.stringify({ format: FORMAT, entries }, null, 1) + "\n";
  await writeAtomically(path, text, { sync: true });
}
