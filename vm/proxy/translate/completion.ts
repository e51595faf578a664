// SPDX-License-Identifier: GPL-2.0-or-later
/** A model's answer, whole or streamed, independent of any provider's format. @module */

import type { SseEvent } from "../stream/sse.ts";
import type { AssistantPart } from "./conversation.ts";
import type { Fault } from "./fault.ts";

export type StopReason =
  | "end"
  | "max_tokens"
  | "stop_sequence"
  | "tool_use"
  | "refusal"
  | "pause"
  | "context_full";

export interface Usage {
  /** All of the prompt, with what came from the cache and what went into it. */
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  /** All of the answer, with the thinking. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};

export interface Completion {
  readonly id: string;
  readonly model: string;
  readonly parts: readonly AssistantPart[];
  readonly stop: StopReason;
  /** Which one, where the provider says. */
  readonly stopSequence?: string;
  readonly usage: Usage;
}

export type StreamEvent =
  | { readonly kind: "start"; readonly id: string; readonly model: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "thinking"; readonly text: string }
  /** Ends the thinking before it. */
  | { readonly kind: "signature"; readonly signature: string }
  | { readonly kind: "redacted"; readonly data: string }
  /** A tool call begins; `index` counts the calls from 0, each once. */
  | {
    readonly kind: "tool";
    readonly index: number;
    readonly id: string;
    readonly name: string;
    /** Thoughts that its provider signed at the call; the maker's name is not in them. */
    readonly extra?: Readonly<Record<string, unknown>>;
  }
  | { readonly kind: "arguments"; readonly index: number; readonly fragment: string }
  /** No more arguments for this call. Chat streams do not say it. */
  | { readonly kind: "tool_end"; readonly index: number }
  /** The totals so far: the last one counts. */
  | { readonly kind: "usage"; readonly usage: Usage }
  | { readonly kind: "stop"; readonly reason: StopReason; readonly stopSequence?: string }
  | { readonly kind: "heartbeat" }
  /** The stream failed; nothing comes after it. */
  | { readonly kind: "error"; readonly fault: Fault }
  /** The stream is whole; nothing comes after it. */
  | { readonly kind: "end" };

/** Reads a provider's stream. Never throws: what it cannot read is an "error" event. */
export interface StreamReader {
  push(event: SseEvent): StreamEvent[];
  /** The connection ended. Gives an "error" if the stream had not said that it is whole. */
  end(): StreamEvent[];
}

/** Writes a stream for a client, as text of server-sent events. */
export interface StreamWriter {
  /** "" if there is nothing to send yet, and after "end" and "error". */
  write(event: StreamEvent): string;
  /** A keep-alive in a form that clients recognise. */
  heartbeat(): string;
}

/** How the proxy names its own answer. */
export interface ResponseIdentity {
  /** With the prefix of the format: "chatcmpl-", "msg_", "resp_". */
  readonly id: string;
  /** The model as the client named it. */
  readonly model: string;
  readonly createdS: number;
}

export interface AnswerIdentity extends ResponseIdentity {
  /** The provider that answers, by its name in the configuration. */
  readonly maker: string;
}
