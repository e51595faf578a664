// SPDX-License-Identifier: GPL-2.0-or-later
/** The body of a request: whole, of a bounded size, JSON with a model in it. @module */

import { concat } from "../../../shared/protocol/bytes.ts";
import { isObject } from "../../settings/shape.ts";
import type { Hold } from "./body_budget.ts";
import { after } from "../stream/coarse_timer.ts";
import type { Bytes } from "../bytes.ts";
import { decodeBody, type RequestBody } from "./request_body.ts";
import { type Fault, fault } from "../translate/fault.ts";

/** Up to this size the runtime's own way is the fastest; it holds a longer body more than once. */
const SMALL_BYTES = 1024 * 1024;
const PACKINGS: ReadonlyMap<string, CompressionFormat> = new Map(
  [
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["deflate", "deflate"],
  ] as const,
);
/** A client that sends nothing for so long has left, or never meant to. */
const SILENCE_MS = 60_000;
/** How much of a longer body is read at a time. */
const READ_BYTES = 64 * 1024;

/** @param hold on the budget of memory; given back by the body's drop(), or by the caller */
export async function readRequest(request: Request, hold: Hold): Promise<RequestBody | Fault> {
  const bytes = await readBytes(request, hold).catch(() => cutShort());
  if ("status" in bytes) {
    request.body?.cancel().catch(() => {});
    return bytes;
  }
  const read = decodeBody(bytes, hold.take);
  if (read === "no room") return noRoom();
  if (read === "no JSON") return fault("invalid_request", "the body is not JSON");
  if (!isObject(read.json)) return fault("invalid_request", "the body is not a JSON object");
  const { model, stream } = read.json;
  if (typeof model !== "string" || model === "" || model.length > 300) {
    return fault("invalid_request", "name a model: a text of at most 300 characters", "model");
  }
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    return fault("invalid_request", "stream takes true or false", "stream");
  }
  return read.accept({ model, stream: stream === true }, hold.release);
}

async function readBytes(request: Request, hold: Hold): Promise<Bytes | Fault> {
  const packed = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (packed !== "identity") {
    const format = PACKINGS.get(packed);
    if (format === undefined) return unknownPacking();
    // Its length says nothing of what comes out of it.
    const body = request.body?.pipeThrough(new DecompressionStream(format)) ?? null;
    return await readUnannounced({ body }, hold);
  }
  const announced = request.headers.get("content-length");
  if (announced === null) return await readUnannounced(request, hold);
  const length = Number(announced);
  if (length > hold.maxRequestBytes) return tooLarge(hold);
  if (!hold.take(length)) return noRoom();
  return length <= SMALL_BYTES ? await request.bytes() : await readLarge(request, length);
}

/** Into one buffer, through a small one: the runtime would read it into pieces, and join those. */
async function readLarge({ body }: Request, length: number): Promise<Bytes | Fault> {
  const all = new Uint8Array(length);
  let at = 0;
  const reader = body?.getReader({ mode: "byob" });
  const silence = watchSilence(() => void reader?.cancel().catch(() => {}));
  for (let buffer = new Uint8Array(READ_BYTES); reader !== undefined;) {
    const { value, done } = await reader.read(buffer).finally(silence.over);
    if (done) break;
    all.set(value, at); // not more than was announced
    at += value.length;
    buffer = new Uint8Array(value.buffer);
    silence.begins();
  }
  return at === length ? all : cutShort();
}

async function readUnannounced(
  { body }: { readonly body: ReadableStream<Bytes> | null },
  hold: Hold,
): Promise<Bytes | Fault> {
  const chunks: Bytes[] = [];
  let length = 0;
  const reader = body?.getReader();
  let isSilent = false;
  const silence = watchSilence(() => {
    isSilent = true;
    void reader?.cancel().catch(() => {});
  });
  while (reader !== undefined) {
    const { value, done } = await reader.read().finally(silence.over);
    if (done) break;
    length += value.length;
    if (length > hold.maxRequestBytes) return tooLarge(hold);
    if (!hold.take(value.length)) return noRoom();
    chunks.push(value);
    silence.begins();
  }
  return isSilent ? cutShort() : concat(chunks);
}

/** What has begun and does not go on would keep its room for ever. */
function watchSilence(giveUp: () => void): { begins(): void; over(): void } {
  const over = (): void => forget();
  const begins = (): void => void (forget = after(SILENCE_MS, giveUp));
  let forget = after(SILENCE_MS, giveUp);
  return { begins, over };
}

/** Nobody will read it, in most cases: the client has left. */
function cutShort(): Fault {
  return fault("invalid_request", "the body of the request ended before it was whole");
}

function unknownPacking(): Fault {
  const known = [...PACKINGS.keys()].join(", ");
  return fault("invalid_request", `the body's content-encoding is none of: ${known}, identity`);
}

/** 413 would make OpenClaw send it again eight times. */
function tooLarge({ maxRequestBytes }: Hold): Fault {
  return fault("context_length", `the request has more than ${maxRequestBytes >> 20} MiB`);
}

function noRoom(): Fault {
  return fault("overloaded", "the proxy holds as many large requests as its memory allows");
}
