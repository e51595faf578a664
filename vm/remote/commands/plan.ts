// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote plan FILE`: several operations as one request, shown, approved and run as one. @module */

import { ifPresent, readSmallText } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { parseUtf8 } from "../../../shared/protocol/bytes.ts";
import { MAX_BODY_BYTES } from "../../../shared/protocol/limits.ts";
import { operationsMs } from "../../../shared/protocol/operation_time.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { readKey } from "../files/key_file.ts";
import type { Layout } from "../files/layout.ts";
import { operationsIn, planText } from "../client/plan_text.ts";
import { formOf, parseAsked } from "./asked.ts";
import { type Given, parseTimeout } from "./cli_words.ts";
import { checkSize, readAll } from "./command_words.ts";
import { deliver } from "./deliver.ts";

export async function plan(layout: Layout, given: Given): Promise<number> {
  const asked = parseAsked(given, given.has("check") ? ["explain"] : []);
  const key = await readKey(layout);
  const [path = ""] = given.words;
  const source = path === "-" ? utf8Of(await readAll(Deno.stdin)) : await readPlan(path);
  // The one module that is loaded late, because it is a third of the client, and every start would pay
  // for it. The bundler wraps a late module together with all that it imports; this one imports nothing
  // of ours, so the rest of the bundle stays flat.
  const { parse } = await import("@std/yaml/parse");
  const text = planText(source, parse, { undoOnFailure: given.has("undo-on-failure") });
  const command = { mode: "plan", text } as const;
  checkSize(command);
  const timeoutMs = parseTimeout(given, operationsMs(operationsIn(text)));
  const form = formOf(asked, "plan");
  return await deliver(layout, given, { ...asked, timeoutMs, key, command, form });
}

async function readPlan(path: string): Promise<string> {
  const text = await ifPresent(readSmallText(path, MAX_BODY_BYTES));
  if (text !== undefined) return text;
  throw new UserError(`no such file: ${printable(path)}`, [
    '"-" reads the plan from standard input',
  ]);
}

function utf8Of(bytes: Uint8Array): string {
  try {
    return parseUtf8(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError("the plan is not UTF-8");
  }
}
