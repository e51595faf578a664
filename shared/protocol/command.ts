// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request's body means: a list of words, or a script. @module */

import { type Bytes, parseUtf8, utf8 } from "./bytes.ts";
import type { Mode } from "./envelope.ts";
import { ProtocolError } from "./refusal.ts";

export type Command =
  | { readonly mode: "argv"; readonly argv: readonly [program: string, ...args: string[]] }
  | { readonly mode: "script"; readonly script: Bytes };

const NUL = 0;

/**
 * An argv is UTF-8 words, each ended by a NUL; the first is not empty. A script is any bytes
 * but NUL, which bash would drop without a word.
 *
 * @throws {ProtocolError} "bad-argument"
 */
export function parseCommand(mode: Mode, untrustedBody: Bytes): Command {
  if (mode === "script") {
    if (untrustedBody.length === 0) throw new ProtocolError("bad-argument", "empty script");
    if (untrustedBody.includes(NUL)) throw new ProtocolError("bad-argument", "NUL in script");
    return { mode, script: untrustedBody };
  }
  if (untrustedBody.at(-1) !== NUL) throw new ProtocolError("bad-argument", "argv without end");
  const [program = "", ...args] = parseUtf8(untrustedBody.subarray(0, -1)).split("\0");
  if (program === "") throw new ProtocolError("bad-argument", "argv without a program");
  return { mode, argv: [program, ...args] };
}

export function encodeCommand(command: Command): Bytes {
  if (command.mode === "script") return command.script;
  return utf8(command.argv.map((word) => word + "\0").join(""));
}

/** One line of a command for logs: still hostile, so printable() comes next. */
export function describeCommand(command: Command): string {
  if (command.mode === "argv") return shellQuote(command.argv);
  return new TextDecoder().decode(command.script.subarray(0, 2048)).trimEnd();
}

const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,.\/-]+$/;

/** Words as a line that a shell reads back as the same words: ["a b"] is not ["a", "b"]. */
export function shellQuote(words: readonly string[]): string {
  return words
    .map((word) => PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
    .join(" ");
}
