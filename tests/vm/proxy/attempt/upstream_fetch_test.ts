// SPDX-License-Identifier: GPL-2.0-or-later
/** Answers of real servers that pack what was not asked for, or call a stream by another name. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import * as zlib from "node:zlib";
import { UpstreamFailure } from "../../../../vm/proxy/exchange.ts";
import { isWhole } from "../../../../vm/proxy/bytes.ts";
import { callUpstream } from "../../../../vm/proxy/attempt/upstream_fetch.ts";
import { startUpstream } from "../../../e2e/proxy_upstream.ts";

const PACK: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  gzip: zlib.gzipSync,
  deflate: zlib.deflateSync,
  "deflate, without zlib's frame": zlib.deflateRawSync,
  br: zlib.brotliCompressSync,
  zstd: zlib.zstdCompressSync,
  "br, gzip": (bytes) => zlib.gzipSync(zlib.brotliCompressSync(bytes)),
};

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const JSON_TEXT = JSON.stringify({ choices: [{ text: "Kraków ".repeat(5000) }] });
const EVENTS =
  `data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`;

async function answerOf(
  body: Uint8Array,
  headers: Readonly<Record<string, string>>,
  status = 200,
): Promise<{ readonly contentType: string; readonly text: string; readonly streamed: boolean }> {
  const upstream = startUpstream(() => new Response(new Uint8Array(body), { status, headers }));
  try {
    const { contentType, body: got } = await callUpstream(
      { url: upstream.url, headers: { "accept-encoding": "identity" }, body: "{}" },
      new AbortController().signal,
      { timeoutMs: 20_000, idleMs: 20_000 },
    );
    if (isWhole(got)) return { contentType, text: new TextDecoder().decode(got), streamed: false };
    let text = "";
    for (let chunk; (chunk = await got.read()) !== null;) text += new TextDecoder().decode(chunk);
    return { contentType, text, streamed: true };
  } finally {
    await upstream.close();
  }
}

for (const [name, pack] of Object.entries(PACK)) {
  const encoding = { "content-encoding": name.replace(", without zlib's frame", "") };
  Deno.test(`an answer packed by ${name} is unpacked though none was asked for`, async () => {
    const json = { ...encoding, "content-type": "application/json" };
    assertEquals((await answerOf(pack(bytesOf(JSON_TEXT)), json)).text, JSON_TEXT);
    const stream = { ...encoding, "content-type": "text/event-stream" };
    const { text, streamed } = await answerOf(pack(bytesOf(EVENTS)), stream);
    assertEquals([text, streamed], [EVENTS, true]);
  });
}

Deno.test("a packed refusal is read; what is packed in an unknown way, or broken, is a failure", async () => {
  const refusal = bytesOf('{"error":{"message":"stop: too many"}}');
  const refused = answerOf(zlib.gzipSync(refusal), { "content-encoding": "gzip" }, 400);
  await assertRejects(() => refused, UpstreamFailure, "stop: too many");
  for (const encoding of ["gzip", "compress"]) {
    await assertRejects(
      () => answerOf(bytesOf("no archive"), { "content-encoding": encoding }),
      UpstreamFailure,
    );
  }
});

Deno.test("a stream is known by its bytes, whatever its content type", async () => {
  for (const type of ["application/json", "text/plain", "application/octet-stream"]) {
    for (const begin of ["", ": hello\n\n", "event: x\n", "\ufeff", "\n\n"]) {
      const got = await answerOf(bytesOf(begin + EVENTS), { "content-type": type });
      assertEquals([got.contentType, got.streamed], ["text/event-stream", true], type + begin);
      assert(got.text.endsWith(EVENTS));
    }
  }
});

Deno.test("one JSON object that is called a stream is one JSON object", async () => {
  const got = await answerOf(bytesOf(JSON_TEXT), { "content-type": "text/event-stream" });
  assertEquals(got, { contentType: "application/json", text: JSON_TEXT, streamed: false });
});
