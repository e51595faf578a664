// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote history …`: what was run from here, and what came of it. @module */

import { EXIT_OK, UserError, writeAll } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { Given } from "./cli_words.ts";
import {
  type HistoryEntry,
  listHistory,
  readHistory,
  type StoredAnswer,
} from "../client/history.ts";
import type { Layout } from "../files/layout.ts";
import { idOfName } from "../files/queue_entry.ts";
import { type OutputPort, outputPort } from "../client/output_port.ts";
import { asJson } from "../client/run_json.ts";
import { parseCount } from "./log.ts";
import { asLine, print } from "./print.ts";

const DEFAULT_ENTRIES = 10;
const SHOWN_COMMAND_CHARS = 50;
const ID_CHARS = 36;
/** More than any daemon is set to; a file may be anything. */
const MAX_SHOWN_BYTES = 256 * 1024 * 1024;

export async function history(layout: Layout, given: Given): Promise<number> {
  const entries = await listHistory(layout, parseCount(given, DEFAULT_ENTRIES));
  const rows = entries.map(({ id, exitCode, durationMs, untrustedCommand }) =>
    `${id.padEnd(ID_CHARS)} ${String(exitCode ?? "?").padStart(4)} ` +
    `${duration(durationMs).padStart(9)}  ${shortCommand(untrustedCommand)}\n`
  );
  const head = `${"ID".padEnd(ID_CHARS)} EXIT  DURATION  COMMAND\n`;
  print(given, { history: entries.map(entryJson) }, head + rows.join(""));
  return EXIT_OK;
}

export async function historyShow(layout: Layout, given: Given): Promise<number> {
  const [word = ""] = given.words;
  const id = idOfName(word);
  if (id === undefined) throw new UserError(`not an id: ${printable(word)}`);
  const answer = await readHistory(layout, id, MAX_SHOWN_BYTES);
  if (answer === undefined) {
    throw new UserError(`no such entry: ${id}`, ['"qvm-remote history 100" lists more of them']);
  }
  if (given.has("json")) {
    const streams = { ...asJson("stdout", answer.out), ...asJson("stderr", answer.err) };
    print(given, { ...entryJson(answer), ...streams }, "");
  } else await showAnswer(answer, outputPort(Deno.stdout, given.has("raw")));
  return EXIT_OK;
}

async function showAnswer(answer: StoredAnswer, output: OutputPort): Promise<void> {
  const { id, outcome, exitCode, limit, left, started, durationMs, untrustedCommand } = answer;
  writeAll(
    Deno.stdout,
    `id        ${id}\noutcome   ${outcome ?? "?"}\nexit      ${exitCode ?? "?"}\n` +
      (limit === null ? "" : `limit     ${limit}\n`) +
      (left === null ? "" : `left      ${left} running, ended\n`) +
      `started   ${started ?? "?"}\nduration  ${duration(durationMs)}\n` +
      `command   ${untrustedCommand === null ? "?" : asLine(untrustedCommand.trimEnd())}\n`,
  );
  for (const [name, bytes] of [["stdout", answer.out], ["stderr", answer.err]] as const) {
    writeAll(Deno.stdout, `--- ${name}: ${bytes.length} bytes\n`);
    await output.sink(bytes);
    await output.finish();
    if (bytes.length > 0 && bytes.at(-1) !== 10) writeAll(Deno.stdout, "\n");
  }
}

function entryJson(entry: HistoryEntry): Readonly<Record<string, string | number | null>> {
  const { id, outcome, exitCode, limit, left, durationMs, started, untrustedCommand } = entry;
  return {
    id,
    outcome,
    exit: exitCode,
    limit,
    left,
    duration_ms: durationMs,
    started,
    command: untrustedCommand,
  };
}

function duration(durationMs: number | null): string {
  return durationMs === null ? "?" : `${durationMs} ms`;
}

export function shortCommand(untrustedCommand: string | null): string {
  if (untrustedCommand === null) return "?";
  const line = untrustedCommand.trimEnd();
  return line.length <= SHOWN_COMMAND_CHARS ? asLine(line) : printable(line, SHOWN_COMMAND_CHARS);
}
