// SPDX-License-Identifier: GPL-2.0-or-later
/** What an operator in dom0 asks of this VM outside a session: one answer, one frame. @module */

import { UserError, writeAll } from "../../../shared/cli/program.ts";
import { type Answer, encodeAnswer } from "../../../shared/protocol/message.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { audit } from "../files/audit_log.ts";
import { readKeyText } from "../files/key_file.ts";
import type { Layout } from "../files/layout.ts";
import { cleanQueue, recoverQueue } from "../files/queue_clean.ts";
import { countQueue, listQueue } from "../files/queue_list.ts";

/** What one listing frame holds. */
const MAX_LISTED_ENTRIES = 200;

const ANSWERS: ReadonlyMap<string, (layout: Layout) => Promise<Answer>> = new Map([
  ["key", async (layout): Promise<Answer> => {
    return { kind: "key", untrustedText: await readKeyText(layout) };
  }],
  ["status", (layout): Promise<Answer> => report(layout, 0)],
  ["list", async (layout): Promise<Answer> => {
    const entries = await listQueue(layout, MAX_LISTED_ENTRIES);
    return { kind: "listing", entries };
  }],
  ["clean", async (layout): Promise<Answer> => {
    const { removed, archived } = await cleanQueue(layout);
    audit(layout, `QUEUE-CLEAN removed=${removed} archived=${archived} by=dom0`);
    return await report(layout, removed + archived);
  }],
  ["recover", async (layout): Promise<Answer> => {
    const recovered = await recoverQueue(layout) ?? 0;
    audit(layout, `QUEUE-RECOVER recovered=${recovered} by=dom0`);
    return await report(layout, recovered);
  }],
]);

/** Writes the answer to stdout. @throws {UserError} if nothing is asked by that argument */
export async function answerOperator(layout: Layout, argument: string): Promise<void> {
  const answer = ANSWERS.get(argument);
  if (answer === undefined) throw new UserError(`unknown argument: ${printable(argument)}`);
  writeAll(Deno.stdout, encodeAnswer(await answer(layout)));
}

async function report(layout: Layout, removed: number): Promise<Answer> {
  return { kind: "report", ...await countQueue(layout), removed };
}
