// SPDX-License-Identifier: GPL-2.0-or-later
/** How an answer is shown to whoever asked. @module */

import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { outputPort } from "../client/output_port.ts";
import type { RequestEnd, Sink } from "../client/run_request.ts";

/** Options that say how. */
export interface ViewOptions {
  has(name: "json" | "raw"): boolean;
}

export interface AnswerView {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Shows what was held back. */
  finish(end: ShownEnd): Promise<void>;
}

export interface ShownEnd {
  readonly id: RequestId;
  readonly end: RequestEnd;
  readonly exitCode: number;
  readonly messages: readonly string[];
}

export function outputPorts(options: ViewOptions) {
  const raw = options.has("raw");
  return [outputPort(Deno.stdout, raw), outputPort(Deno.stderr, raw)] as const;
}
