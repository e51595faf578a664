// SPDX-License-Identifier: GPL-2.0-or-later
/** How a sub-command says what it found: text, or with --json one object in one line. @module */

import { writeAll } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { Given } from "./cli_words.ts";
import { visibleJson } from "../client/visible_text.ts";

export function print(given: Given, value: object, text: string): void {
  writeAll(Deno.stdout, given.has("json") ? visibleJson(value) + "\n" : text);
}

const MAX_LINE_CHARS = 2000;

/** A line of a file as it is, or made safe for a terminal if it is not plain ASCII. */
export function asLine(untrustedLine: string): string {
  const isPlain = /^[\x20-\x7e]*$/.test(untrustedLine) && untrustedLine.length <= MAX_LINE_CHARS;
  return isPlain ? untrustedLine : printable(untrustedLine, MAX_LINE_CHARS);
}
