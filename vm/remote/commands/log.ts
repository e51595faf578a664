// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote log`: the end of the audit log. @module */

import { parseNumber } from "../../../shared/cli/options.ts";
import { EXIT_OK, UsageError } from "../../../shared/cli/program.ts";
import type { Given } from "./cli_words.ts";
import type { Layout } from "../files/layout.ts";
import { lastLines } from "../client/tail.ts";
import { asLine, print } from "./print.ts";

const DEFAULT_LINES = 20;
const MAX_LINES = 100_000;

export async function log(layout: Layout, given: Given): Promise<number> {
  const lines = (await lastLines(layout.audit, parseCount(given, DEFAULT_LINES))).map(asLine);
  print(given, { lines }, lines.map((line) => `${line}\n`).join(""));
  return EXIT_OK;
}

/** The N of "log N" and "log -n N". */
export function parseCount(given: Given, defaultCount: number): number {
  const [word] = given.words;
  const option = given.value("number");
  if (word !== undefined && option !== undefined) throw new UsageError("N is given twice");
  const text = word ?? option;
  return text === undefined ? defaultCount : parseNumber("N", text, 1, MAX_LINES);
}
