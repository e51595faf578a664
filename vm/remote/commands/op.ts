// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote op …` and `qvm-remote ops`: operations of dom0, by their names. @module */

import { UsageError } from "../../../shared/cli/program.ts";
import type { OperationCall } from "../../../shared/protocol/command.ts";
import { operationsMs } from "../../../shared/protocol/operation_time.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { readKey } from "../files/key_file.ts";
import type { Layout } from "../files/layout.ts";
import { formOf, parseAsked } from "./asked.ts";
import type { Given } from "./cli_words.ts";
import { checkSize, checkWord } from "./command_words.ts";
import { readBrings } from "./brings.ts";
import { deliver } from "./deliver.ts";

/** The operation that lists what this VM may do: dom0's daemon answers it itself. */
const OPS = "ops";

export async function op(layout: Layout, given: Given): Promise<number> {
  const command = parseCall(given.words);
  const asked = parseAsked(
    given,
    given.has("json") ? ["json"] : [],
    operationsMs([command.name]),
  );
  const form = formOf(asked, given.has("json") ? "value" : "output");
  const key = await readKey(layout);
  const brings = await readBrings(layout, given, false);
  const leavesStdin = brings === null && !asked.flags.has("explain");
  return await deliver(layout, given, { ...asked, key, command, brings, form, leavesStdin });
}

export async function ops(layout: Layout, given: Given): Promise<number> {
  const asked = parseAsked(given);
  const command: OperationCall = { mode: "op", name: OPS, pairs: [] };
  const key = await readKey(layout);
  return await deliver(layout, given, { ...asked, key, command, form: "operations" });
}

/** Only dom0 checks it against the table. @throws {UserError} what no request can hold */
function parseCall([name = "", ...words]: readonly string[]): OperationCall {
  if (name === "" || name.includes("=")) {
    throw new UsageError(`not the name of an operation: ${printable(name)}`, [
      '"qvm-remote ops" lists them',
    ]);
  }
  const call = { mode: "op", name: checkWord(name), pairs: words.map(parsePair) } as const;
  checkSize(call);
  return call;
}

function parsePair(word: string): readonly [key: string, value: string] {
  const at = checkWord(word).indexOf("=");
  if (at >= 1) return [word.slice(0, at), word.slice(at + 1)];
  throw new UsageError(`not KEY=VALUE: ${printable(word)}`, [
    '"qvm-remote ops --json" says which values each operation takes',
  ]);
}
