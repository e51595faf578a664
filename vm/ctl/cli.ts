// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of openclaw-ctl, read. @module */

import { unknownCommand } from "../../shared/cli/did_you_mean.ts";
import { expectWords, type ParsedWords, parseWords } from "../../shared/cli/options.ts";
import { UsageError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Part } from "../probe/units.ts";
import { CTL_COMMANDS, CTL_OPTIONS, CTL_PROGRAM } from "./cli_table.ts";

export interface CtlCall {
  readonly command: string;
  readonly json: boolean;
  readonly words: readonly string[];
  readonly options: Pick<ParsedWords, "has" | "value">;
}

/** @throws {UsageError} */
export function readCall(args: readonly string[]): CtlCall | "help" | "version" {
  const before = parseWords(args, CTL_OPTIONS, { h: "help" });
  if (before.has("version")) return "version";
  const [name, ...rest] = before.rest;
  if (before.has("help") || name === "help" || name === undefined) return helpOr(before, name);
  const command = CTL_COMMANDS.get(name);
  if (command === undefined) {
    throw unknownCommand("command", name, [...CTL_COMMANDS.keys()], `"${CTL_PROGRAM} help"`);
  }
  if (name === "cron") { // its words are another program's
    const json = before.has("json") || rest.includes("--json");
    return { command: name, json, words: rest, options: before };
  }
  const table = { ...CTL_OPTIONS, ...command.options };
  const options = parseWords(rest, table, { h: "help", n: "lines" }, "anywhere");
  if (options.has("help")) return "help";
  const [usage, min, max] = command.words;
  expectWords(options.rest, min, max, `${CTL_PROGRAM} ${name} ${usage}`.trim());
  const json = before.has("json") || options.has("json");
  return { command: name, json, words: options.rest, options };
}

function helpOr(before: ParsedWords, name: string | undefined): "help" {
  if (before.has("help") || name === "help") return "help";
  throw new UsageError("which command?", [`"${CTL_PROGRAM} help" lists them`]);
}

/** @param here the parts of this VM @throws {UsageError} */
export function readParts(words: readonly string[], here: readonly Part[]): readonly Part[] {
  if (words.length === 0 || words.includes("all")) return here;
  return words.map((word) => {
    // "tunnels" is what the original called it.
    const part = here.find((one) => one === word || `${one}s` === word);
    if (part !== undefined) return part;
    throw new UsageError(`not a part of this VM: ${printable(word)}`, [
      `here there are: ${here.join(", ")}, all`,
    ]);
  });
}
