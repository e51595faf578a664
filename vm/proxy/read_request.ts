// SPDX-License-Identifier: GPL-2.0-or-later
/** The body of a request: whole, of a bounded size, JSON with a model in it. @module */

import { concat } from "../../shared/protocol/bytes.ts";
import { isObject } from "../settings/shape.ts";
import { type Fault, fault } from "./translate/fault.ts";

/** Pictures and a long history: OpenClaw's first prompt alone has 60 KB. */
export const MAX_REQUEST_BYTES = 64 * 1024 * 1024;

export interface RequestBody {
  readonly untrustedBytes: Uint8Array<ArrayBuffer>;
  readonly untrustedText: string;
  readonly untrustedBody: Readonly<Record<string, unknown>>;
  readonly model: string;
  readonly stream: boolean;
}

/** A byte order mark stays, and is no JSON: places in the text have to be those in the bytes. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export async function readRequest(request: Request): Promise<RequestBody | Fault> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  const bytes = announced > MAX_REQUEST_BYTES ? null : await readCapped(request);
  if (bytes === null) {
    // 413 would make OpenClaw send it again eight times.
    return fault("context_length", `the request has more than ${MAX_REQUEST_BYTES >> 20} MiB`);
  }
  let text: string;
  let json: unknown;
  try {
    text = decoder.decode(bytes);
    json = JSON.parse(text);
  } catch {
    return fault("invalid_request", "the body is not JSON");
  }
  if (!isObject(json)) return fault("invalid_request", "the body is not a JSON object");
  const { model, stream } = json;
  if (typeof model !== "string" || model === "" || model.length > 300) {
    return fault("invalid_request", "name a model: a text of at most 300 characters", "model");
  }
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    return fault("invalid_request", "stream takes true or false", "stream");
  }
  return {
    ...{ untrustedBytes: bytes, untrustedText: text, untrustedBody: json },
    ...{ model, stream: stream === true },
  };
}

async function readCapped(request: Request): Promise<Uint8Array<ArrayBuffer> | null> {
  if (request.headers.has("content-length")) {
    const bytes = await request.bytes(); // not more than was announced
    return bytes.length > MAX_REQUEST_BYTES ? null : bytes;
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > MAX_REQUEST_BYTES) return null;
    chunks.push(chunk);
  }
  return concat(chunks);
}
