// SPDX-License-Identifier: GPL-2.0-or-later
/** One HTTP call to an upstream: until its answer has begun it may fail, and nobody has seen it. @module */

import { concat } from "../../../shared/protocol/bytes.ts";
import { kindOfBytes } from "./body_kind.ts";
import { after } from "../stream/coarse_timer.ts";
import { UpstreamFailure } from "../exchange.ts";
import type { Bytes, ByteSource } from "../bytes.ts";
import { heldUntilContent, startingWith } from "./stream_start.ts";
import { unpacked } from "./unpack.ts";
import type { Upload } from "../http/upload.ts";
import { emptyAnswer, failureOf, failureOfError } from "./upstream_failure.ts";

export interface UpstreamCall {
  readonly url: string;
  /** A plain record: building one takes half the time of Headers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Upload;
}

export interface UpstreamStart {
  readonly contentType: string;
  /** A stream of events from its first content on; anything else whole, unless it is very long. */
  readonly body: Bytes | ByteSource;
}

export interface Patience {
  /** Until the first byte. */
  readonly timeoutMs: number;
  /** Between bytes, until the answer has begun. */
  readonly idleMs: number;
}

/** A body up to this size is passed on once it is whole: if it breaks off, another upstream is asked. */
const MAX_WHOLE_BYTES = 8 * 1024 * 1024;
/** How much of a stream is read at a time: one event, or some that came together. */
const READ_BYTES = 16 * 1024;

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
    const response = await unpacked(
      await fetch(call.url, {
        method: "POST",
        headers: call.headers,
        body: call.body,
        redirect: "manual",
        signal: stop.signal,
      }),
    );
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
  if (!contentType.includes("event-stream")) {
    const body = await whole(response, response.body, alive);
    if (!isEvents(body)) return { contentType, body };
    return { contentType: EVENT_STREAM, body: await heldUntilContent(body.events, alive) };
  }
  const source = smallReads(response.body);
  const first = await source.read();
  if (first === null) throw emptyAnswer();
  const all = startingWith([first], source);
  if (kindOfBytes(first) !== "json") {
    return { contentType, body: await heldUntilContent(all, alive) };
  }
  return { contentType: "application/json", body: await readAll(all, alive) };
}

const EVENT_STREAM = "text/event-stream";

/** A stream under another name. */
interface Events {
  readonly events: ByteSource;
}

const isEvents = (body: Bytes | ByteSource | Events): body is Events => "events" in body;

async function whole(
  response: Response,
  body: ReadableStream<Bytes>,
  alive: () => void,
): Promise<Bytes | ByteSource | Events> {
  const announced = Number(response.headers.get("content-length") ?? NaN);
  if (announced <= MAX_WHOLE_BYTES) {
    const bytes = notEmpty(await response.bytes());
    return kindOfBytes(bytes) === "events" ? { events: sourceOf(bytes) } : bytes;
  }
  const source = smallReads(body);
  const first = await source.read();
  if (first === null) throw emptyAnswer();
  const all = startingWith([first], source);
  return kindOfBytes(first) === "events" ? { events: all } : await readAll(all, alive);
}

/** All of it, unless it is very long. */
async function readAll(source: ByteSource, alive: () => void): Promise<Bytes | ByteSource> {
  const chunks: Bytes[] = [];
  let length = 0;
  for (let chunk; (chunk = await source.read()) !== null;) {
    alive();
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_WHOLE_BYTES) return startingWith(chunks, source);
  }
  return notEmpty(concat(chunks));
}

const sourceOf = (bytes: Bytes): ByteSource =>
  startingWith([bytes], { read: () => Promise.resolve(null), cancel() {} });

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

function notEmpty(bytes: Bytes): Bytes {
  if (bytes.length === 0) throw emptyAnswer();
  return bytes;
}
