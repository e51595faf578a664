// SPDX-License-Identifier: GPL-2.0-or-later
/** One request of a client, and what an upstream makes of it. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Bytes, ByteSource } from "./bytes.ts";
import type { RequestBody } from "./http/request_body.ts";
import type { Fault } from "./translate/fault.ts";

/** The API that the client speaks. */
export type Api = "chat" | "messages" | "responses" | "ollama" | "embeddings" | "count_tokens";

/** What is known of a request before anything of it is read. */
export interface Asked {
  readonly api: Api;
  readonly requestId: string;
  /** Of the client's traceparent. */
  readonly trace: string | undefined;
  /** Which VM asks, as qrexec says; null: a program of this one. */
  readonly vm: VmName | null;
  readonly beganMs: number;
}

export interface Exchange {
  readonly api: Api;
  readonly requestId: string;
  /** Under which its use is booked; what it refers to is its own. */
  readonly client: string;
  /**
   * As the client sent it, until an answer has begun. An attempt asks once for its text and its
   * JSON, and keeps neither: of a large body they are made again each time.
   */
  readonly body: RequestBody;
  readonly model: string;
  readonly stream: boolean;
  readonly untrustedHeaders: Headers;
  /** In Unix seconds, for the bodies that we write. */
  readonly createdS: number;
  /** "length": a stream that breaks ends as if it were full; "error": with an error. */
  readonly broken: "length" | "error";
  /** OpenClaw asks, as its traceparent tells; the plain SDKs send none. */
  readonly isAgent: boolean;
  /** No provider of the route answers in this API itself: every answer is written by us. */
  readonly written: boolean;
  /** Money or tokens are counted for it, and its client has not asked for the stream's usage. */
  readonly asksUsage: boolean;
  /** Fires when the client has left. */
  readonly gone: AbortSignal;
}

export interface Tokens {
  readonly input: number;
  readonly output: number;
  /** Of the input: read from the provider's cache, and written to it. */
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** Of what was written to the cache: what is kept for an hour, which costs more. */
  readonly cacheWriteHour: number;
  /** Of the output. */
  readonly reasoning: number;
}

export const NO_TOKENS: Tokens = {
  input: 0,
  output: 0,
  reasoning: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWriteHour: 0,
};

/** What a model has said, by the letters that came: an estimate. */
export interface Seen {
  readonly tokens: number;
  /** Of them what it thought. */
  readonly thoughtTokens: number;
}

export const NO_SEEN: Seen = { tokens: 0, thoughtTokens: 0 };

/** An upstream that has begun to answer, in the client's API. */
export interface Answer {
  readonly contentType: string;
  /** All of it, or as it comes. */
  readonly body: Bytes | ByteSource;
  /** What is known of a translated answer; null: the bytes are the upstream's own, and say it. */
  readonly own: OwnAnswer | null;
  /** What the request lost or changed on its way into the upstream's API: no content. */
  readonly changes?: readonly string[];
}

export interface OwnAnswer {
  tokens(): Tokens | null;
  seen(): Seen;
  /** It was ended by us, in the client's words, because the upstream broke off. */
  isBroken(): boolean;
}

/** An upstream that did not answer, or not what was asked. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  constructor(
    readonly fault: Fault,
    readonly about: {
      /** What the upstream said of when to come again. */
      readonly retryAfterMs?: number | null;
      /** It is the upstream that fails, not this request: it counts for its breaker. */
      readonly counts?: boolean;
      /** It was not asked: its key cannot be had. */
      readonly noKey?: boolean;
      /** The client has left: there is nothing to learn from it, and nobody to tell. */
      readonly gone?: boolean;
    } = {},
  ) {
    super(fault.message);
  }
}
