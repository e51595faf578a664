// SPDX-License-Identifier: GPL-2.0-or-later
/** Sends a request to dom0, and shows its answer. @module */

import { EXIT_OK, writeAll } from "../../../shared/cli/program.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { AnswerForm } from "../files/answer_form.ts";
import { createExchange } from "../client/create_exchange.ts";
import { describeEnd, type EndText } from "../client/end_text.ts";
import { LIVE } from "../../../shared/protocol/payload.ts";
import type { Brings } from "../client/request_v2.ts";
import { catchInterrupts } from "../client/interrupts.ts";
import { createProgress } from "../client/progress.ts";
import { type RequestEnd, runRequest } from "../client/run_request.ts";
import { archiveAnswer } from "../files/archive.ts";
import { audit } from "../files/audit_log.ts";
import { type Farewell, readConnection } from "../files/connection.ts";
import type { Layout } from "../files/layout.ts";
import { attempt } from "../files/local_failure.ts";
import type { AnswerView } from "../view/answer_view.ts";
import { viewOf } from "../view/view_of.ts";
import type { Asked, Way } from "./asked.ts";
import { PROGRAM } from "./cli_table.ts";
import type { Given } from "./cli_words.ts";
import { auditSubmit, keptText, sendDetached } from "./detach.ts";
import { print } from "./print.ts";
import { watchUnreadStdin } from "./unread_stdin.ts";

/** dom0 counts the timeout from the start of the command; the transport comes on top. */
const ANSWER_GRACE_MS = 5_000;

export interface Delivery extends Asked, Way {
  readonly key: AuthKey;
  readonly form: AnswerForm;
  /** What it brings. */
  readonly brings?: Brings | null;
  /** The command could have had stdin, and has not. */
  readonly leavesStdin?: boolean;
}

/** Sends it and shows the answer, or leaves it to `wait`. @returns the exit code */
export async function deliver(layout: Layout, given: Given, asked: Delivery): Promise<number> {
  try {
    return await deliverNow(layout, given, asked);
  } finally {
    asked.brings?.drop();
  }
}

async function deliverNow(layout: Layout, given: Given, asked: Delivery): Promise<number> {
  const { command, timeoutMs, connectMs, brings = null } = asked;
  const live = brings?.payload === LIVE ? brings : null;
  const interrupts = catchInterrupts();
  const progress = createProgress(given, timeoutMs);
  const detachedForm = asked.detached ? asked.form : null;
  const request = { ...asked, layout, interrupts, detachedForm };
  const exchange = await createExchange(request, progress.waitingForName);
  const { id } = exchange;
  await using unread = new AsyncDisposableStack();
  const onPublished = (): void => {
    progress.submitted(id, exchange.signsOutput);
    auditSubmit(layout, id, command);
    if (asked.leavesStdin) unread.use(watchUnreadStdin());
  };
  if (asked.detached) {
    using _file = await sendDetached(layout, exchange, command);
    progress.submitted(id, exchange.signsOutput);
    if (asked.leavesStdin) unread.use(watchUnreadStdin());
    print(given, { id }, `${id}\n`);
    return EXIT_OK;
  }
  const view = viewOf(asked.form, given);
  const end = await runRequest(exchange, { answerMs: timeoutMs + ANSWER_GRACE_MS, connectMs }, {
    layout,
    interrupts,
    onPublished,
    onParked: progress.parked,
    onSent: (bytes) => progress.sent(bytes, sizeOf(brings) ?? bytes),
    live,
    stdout: view.stdout,
    stderr: view.stderr,
    onWaiting: (waitedMs, isParked) => progress.waiting(id, layout, waitedMs, isParked),
  });
  const text = describeEnd(id, timeoutMs, end, await farewellOf(layout, end));
  const failure = live?.failure() ?? null;
  const messages = [...text.messages, ...failure === null ? [] : [`hint: ${failure}`]];
  await showEnd(layout, id, end, { ...text, messages }, view);
  if (end.kind === "answered") keepAnswer(layout, id, keptText(command));
  return text.exitCode;
}

function sizeOf(brings: Brings | null): number | null {
  return brings === null || brings.payload === LIVE ? null : brings.payload.bytes;
}

/** Shows what is left to show of an answer, and says how it ended. */
export async function showEnd(
  layout: Layout,
  id: RequestId,
  end: RequestEnd,
  { exitCode, messages, auditLine }: EndText,
  view: AnswerView,
): Promise<void> {
  await view.finish({ id, end, exitCode, messages });
  for (const message of messages) writeAll(Deno.stderr, `${PROGRAM}: ${message}\n`);
  audit(layout, auditLine);
}

/**
 * If the history has no room for it, that does not change what the command did.
 *
 * @param command null: it is there already
 */
export function keepAnswer(layout: Layout, id: RequestId, command: Uint8Array | null): void {
  const why = attempt(() => archiveAnswer(layout, id, command));
  if (why === null) return;
  writeAll(Deno.stderr, `${PROGRAM}: warning: not in the history: ${printable(why, 200)}\n`);
}

export async function farewellOf(layout: Layout, { kind }: RequestEnd): Promise<Farewell | null> {
  if (kind !== "withdrawn") return null;
  const connection = await readConnection(layout);
  return connection.kind === "none" ? connection.farewell : null;
}
