// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote COMMAND`: runs it, copies its output, ends with its exit code. @module */

import { readKey } from "../files/key_file.ts";
import type { Layout } from "../files/layout.ts";
import { formOf, parseAsked } from "./asked.ts";
import type { Given } from "./cli_words.ts";
import { readCommand } from "./command_words.ts";
import { readBrings } from "./brings.ts";
import { deliver } from "./deliver.ts";

export async function runCommand(layout: Layout, given: Given): Promise<number> {
  const asked = parseAsked(given);
  const key = await readKey(layout); // before stdin is read: no key, no waiting
  const command = await readCommand(given);
  const brings = await readBrings(layout, given, true);
  const isScript = given.words.length === 0 && !given.has("command"); // it was on stdin
  const leavesStdin = brings === null && !isScript && !asked.flags.has("explain");
  const form = formOf(asked, "output");
  return await deliver(layout, given, { ...asked, key, command, brings, form, leavesStdin });
}
