// SPDX-License-Identifier: GPL-2.0-or-later
/** One HTTP call to an upstream: until its first byte it may fail, and nobody has seen it. @module */

import { errorText } from "../../shared/io/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { after } from "./coarse_timer.ts";
import { type Bytes, type ByteSource, UpstreamFailure } from "./exchange.ts";
import { fault, mayRetry, readFault, readOpenAiFault } from "./translate/fault.ts";

export interface UpstreamCall {
  readonly url: string;
  /** A plain record: it is half as dear as Headers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Bytes;
}

export interface UpstreamStart {
  readonly contentType: string;
  /** A stream of events from its first bytes on; anything else whole, unless it is very long. */
  readonly body: Bytes | ByteSource;
}

export interface Patience {
  /** Until the first byte. */
  readonly timeoutMs: number;
  /** Between bytes, in a body that is read as a whole. */
  readonly idleMs: number;
}

/** Of an error's body no more is read. */
const MAX_ERROR_BYTES = 64 * 1024;
/** A body up to that is passed on when it is whole: if it breaks off, another upstream is asked. */
const MAX_WHOLE_BYTES = 8 * 1024 * 1024;
/** At a time, of a stream: one event, or some that came together. */
const READ_BYTES = 16 * 1024;
/** A wait that an upstream asks for is believed up to that. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * @param gone ends it whenever it fires
 * @throws {UpstreamFailure}
 */
export async function callUpstream(
  call: UpstreamCall,
  gone: AbortSignal,
  { timeoutMs, idleMs }: Patience,
): Promise<UpstreamStart> {
  const stop = new AbortController();
  gone.addEventListener("abort", () => stop.abort(), { once: true });
  if (gone.aborted) stop.abort();
  let isLate = false;
  const giveUp = (): void => {
    isLate = true;
    stop.abort();
  };
  let forget = after(timeoutMs, giveUp);
  const alive = (): void => {
    forget();
    forget = after(idleMs, giveUp);
  };
  try {
    const response = await fetch(call.url, {
      method: "POST",
      headers: call.headers,
      body: call.body,
      redirect: "manual",
      signal: stop.signal,
    });
    if (response.status < 200 || response.status > 299) throw await failureOf(response);
    return await begun(response, alive);
  } catch (error) {
    if (error instanceof UpstreamFailure) throw error;
    throw failureOfError(error, gone, isLate);
  } finally {
    forget();
  }
}

/** @param alive to be called when bytes have come and more are waited for */
async function begun(response: Response, alive: () => void): Promise<UpstreamStart> {
  const contentType = response.headers.get("content-type") ?? "";
  if (response.body === null) throw emptyAnswer();
  const body = contentType.includes("event-stream")
    ? await begunStream(response.body)
    : await whole(response, response.body, alive);
  return { contentType, body };
}

/** Waits for the first bytes: an error that comes as the first event is still a failure. */
async function begunStream(body: ReadableStream<Bytes>): Promise<ByteSource> {
  const source = smallReads(body);
  const first = await source.read();
  if (first === null) throw emptyAnswer();
  const failed = firstEventError(first);
  if (failed === null) return startingWith(first, source);
  source.cancel();
  const found = readFault(undefined, failed);
  throw new UpstreamFailure(found, { counts: mayRetry(found) });
}

async function whole(
  response: Response,
  body: ReadableStream<Bytes>,
  alive: () => void,
): Promise<Bytes | ByteSource> {
  const announced = Number(response.headers.get("content-length") ?? NaN);
  if (announced <= MAX_WHOLE_BYTES) return notEmpty(await response.bytes());
  const reader = body.getReader();
  const chunks: Bytes[] = [];
  let length = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return notEmpty(joined(chunks, length));
    alive();
    chunks.push(value);
    length += value.length;
    if (length > MAX_WHOLE_BYTES) {
      reader.releaseLock();
      return startingWith(joined(chunks, length), smallReads(body));
    }
  }
}

/**
 * Through one buffer, whose part with bytes in it is copied: the runtime would make a new one of
 * 64 KiB for each event of some 200 bytes, and spend a sixth of its time on freeing them.
 */
function smallReads(body: ReadableStream<Bytes>): ByteSource {
  const reader = body.getReader({ mode: "byob" });
  let buffer: Bytes = new Uint8Array(READ_BYTES);
  return {
    async read() {
      const { value, done } = await reader.read(buffer);
      if (done) return null;
      buffer = new Uint8Array(value.buffer);
      return value.slice();
    },
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

function startingWith(first: Bytes, source: ByteSource): ByteSource {
  let pending: Bytes | null = first;
  return {
    read() {
      if (pending === null) return source.read();
      const ready = pending;
      pending = null;
      return Promise.resolve(ready);
    },
    cancel: () => source.cancel(),
  };
}

function joined(chunks: readonly Bytes[], length: number): Bytes {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function notEmpty(bytes: Bytes): Bytes {
  if (bytes.length === 0) throw emptyAnswer();
  return bytes;
}

function emptyAnswer(): UpstreamFailure {
  return new UpstreamFailure(fault("server", "the provider sent an empty answer"), {
    counts: true,
  });
}

const decoder = new TextDecoder();

/** {"error": …} as the first event, in whatever frame; null for anything else. */
function firstEventError(bytes: Uint8Array): unknown {
  const text = decoder.decode(bytes.subarray(0, 4096));
  if (!text.includes('"error"')) return null;
  const data = /^(?:event: ?error\r?\n)?data: ?(\{[^\n]*\})\s*$/m.exec(
    text.split(/\r?\n\r?\n/)[0] ?? "",
  );
  if (data === null || !/"error"\s*:\s*[{"]/.test(data[1] ?? "")) return null;
  try {
    const parsed = JSON.parse(data[1] ?? "");
    return Object.hasOwn(parsed, "error") && parsed.error !== null ? parsed : null;
  } catch {
    return null;
  }
}

async function failureOf(response: Response): Promise<UpstreamFailure> {
  const { status, headers } = response;
  if (status < 400) {
    await response.body?.cancel();
    return new UpstreamFailure(
      fault(
        "not_found",
        `the provider answers with a redirection (${status}): its baseUrl is wrong`,
      ),
    );
  }
  const found = readOpenAiFault(status, await readSome(response.body));
  const retryAfterMs = readRetryAfter(headers, Date.now());
  // 429 is the target's business: it rests, and the provider's other models are asked as before.
  const counts = found.kind !== "rate_limit" && mayRetry(found);
  return new UpstreamFailure(found, { retryAfterMs, counts });
}

async function readSome(body: ReadableStream<Uint8Array> | null): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_ERROR_BYTES) break;
    }
  } catch {
    // an error that is cut off says what it says
  }
  return text.slice(0, MAX_ERROR_BYTES);
}

/** retry-after-ms, or Retry-After as seconds or as a date. @returns null if there is none */
export function readRetryAfter(untrusted: Headers, nowMs: number): number | null {
  const ms = untrusted.get("retry-after-ms");
  if (ms !== null && /^\d{1,9}(\.\d+)?$/.test(ms)) return Math.min(Number(ms), MAX_RETRY_AFTER_MS);
  const value = untrusted.get("retry-after");
  if (value === null) return null;
  if (/^\d{1,9}(\.\d+)?$/.test(value)) return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
  const atMs = Date.parse(value);
  if (Number.isNaN(atMs)) return null;
  return Math.min(Math.max(0, atMs - nowMs), MAX_RETRY_AFTER_MS);
}

function failureOfError(error: unknown, gone: AbortSignal, isLate: boolean): UpstreamFailure {
  if (gone.aborted) return new UpstreamFailure(fault("timeout", "the client left"), { gone: true });
  if (isLate) {
    return new UpstreamFailure(fault("timeout", "the provider did not begin in time"), {
      counts: true,
    });
  }
  if (error instanceof Deno.errors.NotCapable) {
    // The launcher read the hosts from the configuration when it started.
    return new UpstreamFailure(
      fault(
        "not_found",
        "this host was not in the configuration when the proxy started; restart it",
      ),
    );
  }
  return new UpstreamFailure(
    fault("overloaded", `the provider cannot be reached: ${printable(reason(error), 120)}`),
    { counts: true },
  );
}

/** Without the URL, which may tell more than the client should know. */
function reason(error: unknown): string {
  const text = errorText(error);
  return /(connection refused|connection reset|dns error|timed? out|certificate|broken pipe)/i
    .exec(text)?.[1] ?? "no connection";
}
