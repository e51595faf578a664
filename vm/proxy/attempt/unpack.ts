// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Compressed answers. The proxy never asks for one, but some servers and caches compress anyway; and
 * because the request says "identity", fetch does not decompress them.
 *
 * @module
 */

import type { Bytes } from "../bytes.ts";

type Transform = ReadableWritablePair<Bytes, Bytes>;

/** @returns the same response if it is not compressed. @throws if the encoding is unknown */
export async function unpacked(response: Response): Promise<Response> {
  const encodings = (response.headers.get("content-encoding") ?? "").toLowerCase()
    .split(",").map((one) => one.trim()).filter((one) => one !== "" && one !== "identity");
  if (encodings.length === 0 || response.body === null) return response;
  let body: ReadableStream<Bytes> = response.body;
  for (const encoding of encodings.toReversed()) body = await unpack(body, encoding);
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  const { status, statusText } = response;
  return new Response(asByteStream(body), { status, statusText, headers });
}

async function unpack(
  body: ReadableStream<Bytes>,
  encoding: string,
): Promise<ReadableStream<Bytes>> {
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return body.pipeThrough(new DecompressionStream("gzip") as Transform);
    case "deflate":
      return await inflate(body);
    case "br":
    case "zstd":
      return body.pipeThrough(await nodeTransform(encoding));
    default:
      await body.cancel().catch(() => {});
      throw new Error("an unknown content-encoding");
  }
}

/** Some servers send the zlib header that the standard requires, others leave it out. */
async function inflate(body: ReadableStream<Bytes>): Promise<ReadableStream<Bytes>> {
  const [head, all] = body.tee();
  const reader = head.getReader();
  const { value } = await reader.read();
  void reader.cancel().catch(() => {});
  const [first = 0, second = 0] = value ?? [];
  const isFramed = (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
  return all.pipeThrough(
    new DecompressionStream(isFramed ? "deflate" : "deflate-raw") as Transform,
  );
}

/** Loaded on first use: DecompressionStream does not support these in every version of Deno. */
async function nodeTransform(encoding: "br" | "zstd"): Promise<Transform> {
  const [zlib, { Duplex }] = await Promise.all([import("node:zlib"), import("node:stream")]);
  const duplex = encoding === "br" ? zlib.createBrotliDecompress() : zlib.createZstdDecompress();
  return Duplex.toWeb(duplex) as unknown as Transform;
}

/** A byte stream like fetch's own, which can be read into a given buffer. */
function asByteStream(body: ReadableStream<Bytes>): ReadableStream<Bytes> {
  const reader = body.getReader();
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const { value, done } = await reader.read();
      if (!done) return controller.enqueue(value);
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
