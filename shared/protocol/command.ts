// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request's body means: words, a script, the call of an operation, or a plan. @module */

import { type Bytes, parseUtf8, utf8 } from "./bytes.ts";
import type { Mode } from "./envelope.ts";
import { ProtocolError } from "./refusal.ts";

/** Commands that are run as they are. */
export type ProcessCommand =
  | { readonly mode: "argv"; readonly argv: readonly [program: string, ...args: string[]] }
  | { readonly mode: "script"; readonly script: Bytes };

/** Which operation with which values: dom0's table decides what that is. */
export interface OperationCall {
  readonly mode: "op";
  readonly name: string;
  /** In the order in which they came; a key may come twice. */
  readonly pairs: readonly (readonly [key: string, value: string])[];
}

export type Command =
  | ProcessCommand
  | OperationCall
  /** The VM says that this is JSON; dom0 parses it. */
  | { readonly mode: "plan"; readonly text: string };

const NUL = 0;

/**
 * An argv is UTF-8 words, each ended by a NUL; the first is not empty. A script is any bytes
 * but NUL, which bash would drop without a word. An operation is an argv whose words after the
 * first are each KEY=VALUE, the key not empty. A plan is UTF-8 text without NUL.
 *
 * @throws {ProtocolError} "bad-argument"
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const command = parseCommand("argv", new TextEncoder().encode("xl\0info\0"));
 * assertEquals(command, { mode: "argv", argv: ["xl", "info"] });
 * ```
 */
export function parseCommand(mode: "argv" | "script", untrustedBody: Bytes): ProcessCommand;
export function parseCommand(mode: Mode, untrustedBody: Bytes): Command;
export function parseCommand(mode: Mode, untrustedBody: Bytes): Command {
  if (mode === "argv") return { mode, argv: parseWords(untrustedBody) };
  if (mode === "op") {
    const [name, ...words] = parseWords(untrustedBody);
    return { mode, name, pairs: words.map(parsePair) };
  }
  if (untrustedBody.length === 0) throw new ProtocolError("bad-argument", `empty ${mode}`);
  if (untrustedBody.includes(NUL)) throw new ProtocolError("bad-argument", `NUL in ${mode}`);
  return mode === "plan"
    ? { mode, text: parseUtf8(untrustedBody) }
    : { mode, script: untrustedBody };
}

function parseWords(untrustedBody: Bytes): [first: string, ...others: string[]] {
  if (untrustedBody.at(-1) !== NUL) throw new ProtocolError("bad-argument", "words without end");
  const [first = "", ...others] = parseUtf8(untrustedBody.subarray(0, -1)).split("\0");
  if (first === "") throw new ProtocolError("bad-argument", "first word empty");
  return [first, ...others];
}

function parsePair(untrustedWord: string): readonly [key: string, value: string] {
  const at = untrustedWord.indexOf("=");
  if (at < 1) throw new ProtocolError("bad-argument", "want KEY=VALUE");
  return [untrustedWord.slice(0, at), untrustedWord.slice(at + 1)];
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const body = encodeCommand({ mode: "argv", argv: ["xl", "info"] });
 * assertEquals(new TextDecoder().decode(body), "xl\0info\0");
 * ```
 */
export function encodeCommand(command: Command): Bytes {
  switch (command.mode) {
    case "script":
      return command.script;
    case "plan":
      return utf8(command.text);
    case "argv":
    case "op":
      return utf8(wordsOf(command).map((word) => word + "\0").join(""));
  }
}

function wordsOf(command: Extract<Command, { mode: "argv" | "op" }>): readonly string[] {
  if (command.mode === "argv") return command.argv;
  return [command.name, ...command.pairs.map(([key, value]) => `${key}=${value}`)];
}

/** How much of a script or a plan a log line shows. */
const DESCRIBED_BYTES = 2048;

/**
 * One line of a command for logs: still hostile, so printable() comes next.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(describeCommand({ mode: "argv", argv: ["echo", "a b"] }), "echo 'a b'");
 * ```
 */
export function describeCommand(command: Command): string {
  switch (command.mode) {
    case "argv":
    case "op":
      return shellQuote(wordsOf(command));
    case "script":
    case "plan": {
      const bytes = command.mode === "script" ? command.script : utf8(command.text);
      return new TextDecoder().decode(bytes.subarray(0, DESCRIBED_BYTES)).trimEnd();
    }
  }
}

const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,.\/-]+$/;

/**
 * Words as a line that a shell reads back as the same words: ["a b"] is not ["a", "b"].
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(shellQuote(["qvm-ls", "it's"]), "qvm-ls 'it'\\''s'");
 * ```
 */
export function shellQuote(words: readonly string[]): string {
  return words
    .map((word) => PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
    .join(" ");
}
