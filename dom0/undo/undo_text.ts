// SPDX-License-Identifier: GPL-2.0-or-later
/** What a person is shown before something is undone. Values come from tools, so they are escaped. @module */

import { printable } from "../../shared/protocol/printable.ts";
import { shellQuote } from "../../shared/protocol/command.ts";
import type { Recognised } from "../operations/recognise.ts";
import { CHANGES } from "../operations/undo.ts";
import type { Seen, UndoRecord } from "./undo_record.ts";
import { isSamePart, type WayBack } from "./way_back.ts";

const SHOWN_CHARS = 2000;

/** @param now what is there at this moment */
export function undoText(record: UndoRecord, way: WayBack, now: Seen): string {
  const lines = [
    `${record.vm} did ${callText(record)} at ${new Date(record.atMs).toISOString()}${
      endText(record)
    }`,
    `  before it:  ${seenText(record.before)}`,
    `  after it:   ${seenText(record.after)}`,
    `  now:        ${seenText(now)}${sinceText(record, now)}`,
  ];
  if (record.status === "undoing" || record.status === "partly") {
    lines.push(
      `  An undo did ${record.stepsBack} steps of the way back and did not come to its end: the next` +
        " one may be done or not.",
    );
  }
  if (way.kind === "none") lines.push(`  It cannot be undone: ${way.why}.`);
  else if (!isBack(record, now)) {
    lines.push(
      ...way.steps.slice(record.stepsBack).map((step) => `  way back:   ${stepText(step)}`),
    );
  } else lines.push("  It is as it was before: there is nothing to do.");
  return `${lines.join("\n")}\n`;
}

function isBack({ before }: UndoRecord, now: Seen): boolean {
  return before !== null && now !== null && isSamePart(before.value, now.value);
}

/** "vm.prefs.set vm=work property=memory value=400" */
export function callText({ operation, values }: Pick<UndoRecord, "operation" | "values">): string {
  return [operation, ...[...values].map(([key, value]) => `${key}=${plain(String(value))}`)].join(
    " ",
  );
}

/** The command lines of a step. */
export function commandsText({ argvs }: Recognised): string {
  return argvs.map((argv) => plain(shellQuote(argv))).join("; ");
}

function stepText(step: Recognised): string {
  const { operation } = step;
  const commands = commandsText(step);
  const loses = operation.destructive ? "; data that is lost by it does not come back" : "";
  const forGood = CHANGES.has(operation.name) ? "" : " (this itself cannot be undone)";
  return `${commands}${forGood}${loses}`;
}

function endText({ exitCode }: UndoRecord): string {
  if (exitCode === 0) return "";
  return exitCode === null
    ? ", and nobody knows whether it came to its end"
    : `, and it failed with exit code ${exitCode}`;
}

function sinceText({ after }: UndoRecord, now: Seen): string {
  if (after === null || now === null) return "";
  return isSamePart(after.value, now.value) ? " (not changed since)" : " (CHANGED SINCE)";
}

function seenText(seen: Seen): string {
  return seen === null ? "(could not be read)" : plain(JSON.stringify(seen.value));
}

/** ASCII as it is, anything else escaped. */
function plain(text: string): string {
  const isPlain = /^[\x20-\x7e]*$/.test(text) && text.length <= SHOWN_CHARS;
  return isPlain ? text : printable(text, SHOWN_CHARS);
}
