// SPDX-License-Identifier: GPL-2.0-or-later
/** One operation of dom0 for a transfer: its answer as bytes or as a value, and nothing kept of it. @module */

import { UserError } from "../../../shared/cli/program.ts";
import { removeIfPresent } from "../../../shared/io/sync_files.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import { concat } from "../../../shared/protocol/bytes.ts";
import type { Asked, Way } from "../commands/asked.ts";
import type { Given } from "../commands/cli_words.ts";
import { farewellOf } from "../commands/deliver.ts";
import { auditSubmit } from "../commands/detach.ts";
import { createExchange } from "../client/create_exchange.ts";
import { describeEnd } from "../client/end_text.ts";
import type { Interrupts } from "../client/interrupts.ts";
import { createProgress } from "../client/progress.ts";
import { runRequest, type Sink } from "../client/run_request.ts";
import { type Layout, RESULT_PARTS, resultPath } from "../files/layout.ts";
import type { Spooled } from "../files/payload_file.ts";

/** dom0 counts the time of a command from its start; the way there comes on top. */
const ANSWER_GRACE_MS = 5_000;
/** dom0's daemon may be started anew while something runs. */
const ATTEMPTS = 3;
const MAX_ERROR_BYTES = 4096;

/** dom0 did not do it, for that reason. */
export class CallFailed extends UserError {
  constructor(message: string, override readonly exitCode: number) {
    super(message);
  }
}

export type Pairs = readonly (readonly [key: string, value: string])[];

export interface CallOptions {
  /** What it brings: made anew for each attempt. */
  readonly brings?: () => Promise<Spooled>;
  /** Takes stdout; called with nothing yet when an attempt begins anew. */
  readonly begin?: () => Sink;
  readonly onSent?: (bytes: number) => void;
}

export interface CallDom0 {
  /** @throws {CallFailed} */
  run(name: string, pairs: Pairs, options?: CallOptions): Promise<void>;
  /** The result as a value. @throws {CallFailed} */
  value(name: string, pairs: Pairs): Promise<unknown>;
}

export interface CallerOptions {
  readonly layout: Layout;
  readonly key: AuthKey;
  readonly given: Given;
  readonly asked: Omit<Asked, "command"> & Way;
  readonly interrupts: Interrupts;
}

export function createCaller(options: CallerOptions): CallDom0 {
  const run: CallDom0["run"] = async (name, pairs, { brings, begin, onSent } = {}) => {
    for (let attempt = 1;; attempt++) {
      const spooled = await brings?.() ?? null;
      try {
        const stdout = begin?.() ?? (() => Promise.resolve());
        if (await callOnce({ ...options, name, pairs, spooled, stdout, onSent })) return;
        if (attempt === ATTEMPTS) throw new CallFailed("dom0's daemon ended while it ran", 130);
      } finally {
        spooled?.drop();
      }
    }
  };
  return {
    run,
    async value(name, pairs) {
      let chunks: Uint8Array[] = [];
      const asJson = { ...options.asked, flags: new Set(["json" as const]) };
      await createCaller({ ...options, asked: asJson }).run(name, pairs, {
        begin() {
          chunks = [];
          return (bytes) => Promise.resolve(void chunks.push(bytes.slice()));
        },
      });
      return JSON.parse(new TextDecoder().decode(concat(chunks)));
    },
  };
}

interface OneCall extends CallerOptions {
  readonly name: string;
  readonly pairs: Pairs;
  readonly spooled: Spooled | null;
  readonly stdout: Sink;
  readonly onSent: ((bytes: number) => void) | undefined;
}

/** @returns false if it may be tried again: the daemon died, and it is done once however often it is */
async function callOnce(
  { layout, key, given, asked, interrupts, name, pairs, spooled, stdout, onSent }: OneCall,
): Promise<boolean> {
  const { timeoutMs, connectMs } = asked;
  const progress = createProgress(given, timeoutMs);
  const command = { mode: "op", name, pairs } as const;
  const request = { ...asked, layout, key, command, interrupts, detachedForm: null };
  const exchange = await createExchange({ ...request, brings: spooled }, progress.waitingForName);
  const { id } = exchange;
  const errors: Uint8Array[] = [];
  const end = await runRequest(exchange, { answerMs: timeoutMs + ANSWER_GRACE_MS, connectMs }, {
    layout,
    interrupts,
    stdout,
    stderr: (bytes) => Promise.resolve(void errors.push(bytes.slice())),
    onPublished: () => auditSubmit(layout, id, command),
    onParked: progress.parked,
    onWaiting: (waitedMs, isParked) => progress.waiting(id, layout, waitedMs, isParked),
    ...onSent === undefined ? {} : { onSent },
  });
  for (const part of RESULT_PARTS) removeIfPresent(resultPath(layout, id, part));
  if (end.kind === "answered" && end.cause === null) {
    if (end.outcome.kind === "interrupted" && end.signed) return false;
    if (end.outcome.kind === "done" && end.outcome.exitCode === 0) return true;
  }
  const { exitCode, messages } = describeEnd(id, timeoutMs, end, await farewellOf(layout, end));
  const said = new TextDecoder().decode(concat(errors).subarray(0, MAX_ERROR_BYTES)).trim();
  const text = [said, ...messages].filter((line) => line !== "").join("\n");
  throw new CallFailed(text, exitCode === 0 ? 1 : exitCode);
}
