// SPDX-License-Identifier: GPL-2.0-or-later
/** Beginning an operation by a button of another page: it goes on where what runs is shown. @module */

import { type Admin, askerOf, isElevated } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import { OPERATIONS } from "../../../operations/table.ts";
import { type Answer, type AskedBySession, seeOther } from "../../server/http_message.ts";

export interface Begun {
  readonly operation: string;
  readonly values: Readonly<Record<string, string>>;
  /** Where it goes on if dom0 does not begin it. */
  readonly back: string;
}

export async function beginRun(
  { channel, dateMs }: Admin,
  { session }: AskedBySession,
  { operation, values, back }: Begun,
): Promise<Answer> {
  if (OPERATIONS.get(operation)?.level === "full" && !isElevated(session, dateMs())) {
    const text =
      `Nothing was begun: ${operation} is of level full. Begin elevated mode first, on ` +
      "the page Sessions.";
    session.notices.push({ kind: "bad", text });
    return seeOther(back);
  }
  const run = await orProblem(channel.begin(operation, values, askerOf(session)));
  if (!(run instanceof Dom0Error)) return seeOther(`/execute/${run.id}`);
  session.notices.push({ kind: "bad", text: `Nothing was begun: ${run.message}` });
  return seeOther(back);
}
