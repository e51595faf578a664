// SPDX-License-Identifier: GPL-2.0-or-later
/** What a migration found, does and leaves, in words and as JSON. Pure. @module */

import { remarkLines, section } from "../../shared/setup/remarks.ts";
import { shellQuote } from "../../shared/protocol/command.ts";
import type { Command } from "../../shared/setup/tools.ts";
import { describe, type Step, type Undo } from "./fact.ts";
import type { Found } from "./found.ts";
import type { Plan } from "./plan.ts";

/** True: nothing here is of the original, nor of a migration. Keys that have rules are this project's. */
export function isEmpty(found: Found): boolean {
  const { units, entries, keys, pythonPrograms, byHand, webPolicy, entriesOfRecord } = found;
  return [entries, pythonPrograms, byHand, entriesOfRecord].every(({ length }) => length === 0) &&
    webPolicy === null && units.every(({ owner }) => owner !== "original") &&
    keys.every(({ hasRules }) => hasRules);
}

export function planText(found: Found, plan: Plan): string {
  const { steps, obstacles, notTaken, stays } = plan;
  return [
    section("Found of the Python original", foundLines(found)),
    section("Steps", steps.flatMap((step, i) => stepLines(step, i + 1, steps[i - 1]?.why))),
    section("Not taken over", notTaken.flatMap(remarkLines)),
    section("Stays", stays.flatMap(remarkLines)),
    section("Before --apply", obstacles.flatMap(remarkLines)),
  ].join("");
}

function foundLines({ units, entries, keys, config, entriesOfRecord }: Found): readonly string[] {
  const lines = units.filter(({ owner }) => owner === "original").map(
    ({ file, isActive, isEnabled }) =>
      `${file}: ${isActive ? "runs" : "does not run"}, ${isEnabled ? "enabled" : "not enabled"}`,
  );
  lines.push(...entries);
  if (config.isThere) lines.push(`${config.path}: ${config.vms.join(", ") || "no VM"}`);
  for (const { vm, fingerprint } of keys) {
    lines.push(`key of ${vm}: ${fingerprint === null ? "cannot be used" : fingerprint}`);
  }
  if (entriesOfRecord.length > 0) {
    lines.push(`a record of an earlier migration: ${entriesOfRecord.length} changes`);
  }
  return lines;
}

/** @param before what the step before said, which need not be said again */
function stepLines(
  { fact, to, why, commands }: Step,
  number: number,
  before: string | undefined,
): readonly string[] {
  return [
    `${number}. ${describe(fact, to)}`,
    ...why === before ? [] : [`   (${why})`],
    ...commands.map(({ argv }) => `   ${shellQuote(argv)}`),
  ];
}

/** What a person does when it is done. */
export function nextText({ vms: [first, ...others] }: Plan): string {
  const authorize = "qvm-remote-dom0 authorize --fetch --grant";
  const rights = first === undefined ? [] : [
    `Who reads now, and is asked about all else: ${[first, ...others].join(", ")}. To give more:`,
    `  ${authorize} manage ${first}`,
    `  ${authorize} full ${first}    any command, as root: what the original gave`,
  ];
  return [
    "Nothing runs yet. In each VM, with the new client installed:",
    "  qvm-remote migrate --apply",
    "Then here:",
    "  qvm-remote-dom0 check-config",
    "  qvm-remote-dom0 enable",
    ...rights,
    "To go back to the original: qvm-remote-dom0 migrate --undo",
  ].map((line) => `${line}\n`).join("");
}

export function undoLine({ entry: { fact, from }, action }: Undo): string {
  const what = describe(fact, from);
  if (action.kind === "gone") return `${what}: nothing to do, ${action.why}\n`;
  if (action.kind === "left") return `NOT DONE: ${what}: ${action.why}\n`;
  return `${what}\n${action.step.commands.map(({ argv }) => `  ${shellQuote(argv)}\n`).join("")}`;
}

/** How the way back ended. @param path of the record */
export function undoEnd(undos: readonly Undo[], path: string): string {
  const left = undos.filter(({ action }) => action.kind === "left");
  if (left.length === 0) return "All of it is as before the migration.\n";
  const isProgram = left.some(({ entry: { fact } }) =>
    fact.kind === "active" || fact.kind === "enabled"
  );
  return `${left.length} changes are not taken back, and stay in ${path}.\n` +
    (isProgram
      ? "Keep a copy of this program, put the original's in their places, then run the copy with\n" +
        '"migrate --undo" once more; or go on with systemctl.\n'
      : "");
}

interface StepJson {
  readonly what: string;
  readonly why: string;
  readonly commands: readonly Command["argv"][];
}

const stepJson = ({ fact, to, why, commands }: Step): StepJson => ({
  what: describe(fact, to),
  why,
  commands: commands.map(({ argv }) => argv),
});

/** @param isDone whether the steps were carried out */
export function planJson(found: Found, plan: Plan, isDone: boolean): string {
  const { steps, obstacles, notTaken, stays, vms } = plan;
  return json({
    found: foundLines(found),
    steps: steps.map(stepJson),
    done: isDone,
    not_taken: notTaken,
    stays,
    obstacles,
    vms,
  });
}

export function undoJson(undos: readonly Undo[]): string {
  return json({
    undo: undos.map(({ entry: { fact, from }, action }) => ({
      what: describe(fact, from),
      result: action.kind === "step" ? "done" : action.kind === "gone" ? "nothing to do" : "left",
      ...action.kind === "step" ? {} : { why: action.why },
    })),
  });
}

const json = (value: unknown): string => JSON.stringify(value, null, 1) + "\n";
