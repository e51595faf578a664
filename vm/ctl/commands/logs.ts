// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl logs" and "follow": the journal, safe for a terminal. @module */

import { textLines } from "../../../shared/io/lines.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { readCapped } from "../../probe/capped.ts";
import { type Run, startProgram } from "../../probe/run_program.ts";
import { type Part, unitOf } from "../../probe/units.ts";
import type { UnitName } from "../../probe/units.ts";
import type { VmSettings } from "../../settings/vm_settings.ts";
import { journalArguments, type LogLine, logText, readJournalLine } from "../journal.ts";
import { asciiJson, shownLines } from "../text.ts";

export interface LogQuestion {
  readonly parts: readonly Part[];
  readonly lines: number;
  readonly since: string | null;
}

const JOURNAL_MS = 30_000;
/** Of one entry; the journal itself keeps 48 KiB of a line. */
const MAX_ENTRY_CHARS = 1024 * 1024;
const MAX_ERROR_BYTES = 16 * 1024;

export function unitsFor(parts: readonly Part[], settings: VmSettings): readonly UnitName[] {
  return parts.map((part) => unitOf(part, settings));
}

/** @throws {UserError} if the journal cannot be read */
export async function readLogs(
  { parts, lines, since }: LogQuestion,
  settings: VmSettings,
  run: Run,
): Promise<readonly LogLine[]> {
  const units = unitsFor(parts, settings);
  const words = journalArguments(units, { lines, since, follow: false });
  const { code, untrustedOut, untrustedErr } = await run(["journalctl", ...words], JOURNAL_MS);
  if (code !== 0) throw journalError(untrustedErr, units);
  return untrustedOut.split("\n").map((line) => readJournalLine(line, units))
    .filter((line) => line !== null);
}

export function logLineText(line: LogLine, json: boolean): string {
  return json ? asciiJson(line) + "\n" : logText(line);
}

/** Writes lines as they come, until `stop` fires. @throws {UserError} if journalctl fails */
export async function followLogs(
  { parts, lines, since }: LogQuestion,
  settings: VmSettings,
  stop: AbortSignal,
  write: (line: LogLine) => void,
): Promise<void> {
  const units = unitsFor(parts, settings);
  const words = journalArguments(units, { lines, since, follow: true });
  const child = startProgram("journalctl", words);
  const errors = readCapped(child.stderr, MAX_ERROR_BYTES);
  const end = (): void => {
    try {
      child.kill("SIGTERM");
    } catch {
      // it has ended
    }
  };
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  const text = child.stdout.pipeThrough(new TextDecoderStream());
  for await (const piece of text.pipeThrough(textLines(MAX_ENTRY_CHARS))) {
    const line = readJournalLine(piece, units);
    if (line !== null) write(line);
  }
  const { code } = await child.status;
  const said = new TextDecoder().decode((await errors).bytes);
  if (!stop.aborted && code !== 0) throw journalError(said, units);
}

function journalError(untrustedErr: string, units: readonly UnitName[]): UserError {
  const words = units.map(({ unit, scope }) =>
    `${scope === "user" ? "--user-unit" : "-u"} ${unit}`
  );
  return new UserError(`the journal cannot be read: ${shownLines(untrustedErr, 300).trim()}`, [
    `try: sudo journalctl ${words.join(" ")}`,
  ]);
}
