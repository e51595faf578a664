// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Questions that dom0's daemon answers itself, whatever the policy says: what this VM may do, and
 * what would become of a request. They leave nothing in the history.
 *
 * @module
 */

import { removeIfPresent } from "../../../shared/io/sync_files.ts";
import type { Command } from "../../../shared/protocol/command.ts";
import type { RequestFlag } from "../../../shared/protocol/flags.ts";
import type { RefusalReason } from "../../../shared/protocol/refusal.ts";
import { createExchange } from "./create_exchange.ts";
import { createCapture } from "./run_json.ts";
import { describeEnd } from "./end_text.ts";
import { runRequest } from "./run_request.ts";
import { readKey } from "../files/key_file.ts";
import { type Layout, RESULT_PARTS, resultPath } from "../files/layout.ts";
import { farewellOf } from "../commands/deliver.ts";
import { parseJson } from "../view/parse_json.ts";
import { createLeave } from "./leave.ts";

export interface Question {
  readonly command: Command;
  readonly flags: ReadonlySet<RequestFlag>;
  readonly why: string | null;
  readonly waitMs: number;
}

/** dom0 gave none, or is not there. The message says why. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  constructor(
    /** As for a person at a terminal. */
    readonly lines: readonly string[],
    /** Why it refused; null if it did not. */
    readonly refusal: RefusalReason | null,
  ) {
    super(lines.join("\n") || "no answer");
  }
}

/** How long dom0 may take to connect. */
export const CONNECT_MS = 3_000;

/** @returns the JSON value of the answer @throws {NoAnswerError|UserError} */
export async function askDom0(
  layout: Layout,
  { command, flags, why, waitMs }: Question,
): Promise<unknown> {
  const key = await readKey(layout);
  const connectMs = Math.min(waitMs, CONNECT_MS);
  const capture = createCapture();
  const exchange = await createExchange({
    layout,
    key,
    command,
    flags,
    why,
    timeoutMs: waitMs,
    connectMs,
    protocol: 2,
    detachedForm: null,
    interrupts: createLeave(),
  }, () => {});
  const { id } = exchange;
  // Whose time is up does not wait for dom0's word on that, too: the queue service cancels what has lost
  // its client.
  const brief = { ...exchange, canCancel: false };
  const end = await runRequest(brief, { answerMs: waitMs, connectMs }, {
    layout,
    interrupts: createLeave(),
    stdout: capture.stdout,
    stderr: capture.stderr,
    onPublished() {},
    onWaiting() {},
    onParked() {},
  });
  for (const part of RESULT_PARTS) removeIfPresent(resultPath(layout, id, part));
  const { exitCode, messages } = describeEnd(id, waitMs, end, await farewellOf(layout, end));
  const value = exitCode === 0 ? parseJson(capture.bytes("stdout")) : undefined;
  if (value === undefined) {
    throw new NoAnswerError(messages, end.kind === "answered" ? end.outcome.reason : null);
  }
  return value;
}
