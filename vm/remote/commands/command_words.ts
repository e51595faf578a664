// SPDX-License-Identifier: GPL-2.0-or-later
/** What to run: several words, one word, -c, or stdin. Checked here, before dom0 is asked. @module */

import { UsageError, UserError } from "../../../shared/cli/program.ts";
import type { ByteSource } from "../../../shared/io/read_ahead.ts";
import { concat, utf8 } from "../../../shared/protocol/bytes.ts";
import {
  type Command,
  encodeCommand,
  type ProcessCommand,
} from "../../../shared/protocol/command.ts";
import { MAX_BODY_BYTES } from "../../../shared/protocol/limits.ts";
import type { Given } from "./cli_words.ts";

/** What Deno replaces bytes with that are not UTF-8; the bytes themselves are lost. */
const NOT_UTF8 = "\ufffd";
const NUL = 0;
const CHUNK_BYTES = 64 * 1024;

/** @throws {UserError} what a request cannot hold, in the words of the original */
export async function readCommand(
  given: Given,
  stdin: ByteSource = Deno.stdin,
): Promise<ProcessCommand> {
  const command = await wordsOrStdin(given, stdin);
  if (command.mode === "script") {
    if (command.script.length === 0) throw emptyCommand();
    if (command.script.includes(NUL)) throw new UserError("the command holds a NUL byte");
  }
  checkSize(command);
  return command;
}

/** @throws {UserError} if no request can hold it */
export function checkSize(command: Command): void {
  const { length } = encodeCommand(command);
  if (length > MAX_BODY_BYTES) throw tooLarge(`${length}`);
}

async function wordsOrStdin(given: Given, stdin: ByteSource): Promise<ProcessCommand> {
  if (given.has("stdin") && given.words.length === 0 && !given.has("command")) {
    throw new UsageError("-i gives what is piped in to a command, and there is no command");
  }
  const script = given.value("command");
  const [program, ...args] = given.words;
  if (script !== undefined) {
    if (program !== undefined) {
      throw new UsageError("-c takes the whole script; no words go with it");
    }
    return { mode: "script", script: utf8(checkWord(script)) };
  }
  if (program === undefined) return { mode: "script", script: await readAll(stdin) };
  if (args.length === 0) return { mode: "script", script: utf8(checkWord(program)) };
  if (program === "") throw emptyCommand();
  return { mode: "argv", argv: [checkWord(program), ...args.map(checkWord)] };
}

/** @throws {UserError} if it was not UTF-8 */
export function checkWord(word: string): string {
  if (!word.includes(NOT_UTF8)) return word;
  throw new UserError("a word of the command is not UTF-8", [
    "a script on stdin may hold any bytes but NUL",
  ]);
}

/** @throws {UserError} more than a request can hold */
export async function readAll(stdin: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(CHUNK_BYTES);
  let length = 0;
  for (let got; (got = await stdin.read(buffer)) !== null;) {
    chunks.push(buffer.slice(0, got));
    length += got;
    if (length > MAX_BODY_BYTES) throw tooLarge(`at least ${length}`);
  }
  return concat(chunks);
}

function emptyCommand(): UsageError {
  return new UsageError("empty command", ["--help says what it takes"]);
}

function tooLarge(size: string): UserError {
  return new UserError(`command too large (${size} > ${MAX_BODY_BYTES} bytes)`, [
    "copy the data to dom0 as a file, and run a command on it",
  ]);
}
