// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-proxy with large requests: what it holds in memory, and whom it sends away. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeFully } from "../../shared/io/files.ts";
import { until } from "../until.ts";
import { read } from "../bench/proc.ts";
import { completion } from "./proxy_upstream.ts";
import { startProxy } from "./proxy_world.ts";

const AT_ONCE = 8;
const BODY_BYTES = 20_000_000;

/** The most that it ever had in memory. */
function peakMb(pid: number): number {
  const status = read(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(status)?.[1] ?? NaN) / 1024;
}

async function digest(bytes: BufferSource): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Answers when it has so many of them, with the digest of the content that it got. */
function startProvider(atOnce: number) {
  let waiting = 0;
  let answerAll = (): void => {};
  let all = new Promise<void>((resolve) => answerAll = resolve);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const [message] = (await request.json()).messages;
    const text = await contentDigest(message.content);
    if (++waiting === atOnce) {
      waiting = 0;
      answerAll();
      all = new Promise<void>((resolve) => answerAll = resolve);
    } else await all;
    return Response.json(
      request.url.endsWith("/messages")
        ? {
          ...{ id: "msg_up1", type: "message", role: "assistant", model: "m" },
          content: [{ type: "text", text }],
          ...{ stop_reason: "end_turn", stop_sequence: null },
          usage: { input_tokens: 10, output_tokens: 7 },
        }
        : completion(text),
    );
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
}

/** Of its pictures and texts, in either API. */
async function contentDigest(content: readonly Part[]): Promise<string> {
  const data = content.map(({ text, source, image_url }) =>
    text ?? source?.data ?? image_url?.url.split(",")[1] ?? ""
  );
  return await digest(new TextEncoder().encode(data.join("")));
}

interface Part {
  readonly text?: string;
  readonly source?: { readonly data: string };
  readonly image_url?: { readonly url: string };
}

const pictures = (count: number): Part[] =>
  Array.from({ length: count }, (_, at) => {
    const data = `A${at % 10}b+`.repeat(BODY_BYTES / 4 / count);
    return { type: "image_url", image_url: { url: `data:image/png;base64,${data}` } };
  });

const CONTENTS: readonly (readonly [what: string, parts: Part[], atOnce: number])[] = [
  ["a picture", pictures(1), AT_ONCE],
  ["60 pictures", pictures(60), AT_ONCE],
  // No model reads so much: two of them have room at a time.
  ["text", [{ text: "words and blanks ".repeat(BODY_BYTES / 17) }], 1],
];

for (const [what, content, atOnce] of CONTENTS) {
  for (const [way, model] of [["passed on", "openai/m"], ["translated", "anthropic/m"]] as const) {
    Deno.test(`eight requests of 20 MB (${what}) at once, ${way}, take less than 400 MB`, async () => {
      const provider = startProvider(atOnce);
      await using proxy = await startProxy({
        providers: {
          openai: { kind: "openai", baseUrl: `${provider.url}/v1` },
          anthropic: { kind: "anthropic", baseUrl: provider.url },
        },
        models: { large: model },
      });
      const parts = content.map((part) => ({ ...part, ...part.text && { type: "text" } }));
      const body = JSON.stringify({ model: "large", messages: [{ role: "user", content: parts }] });
      const want = await contentDigest(content);
      const answers = await Promise.all(
        Array.from({ length: AT_ONCE }, () => proxy.post("/v1/chat/completions", body)),
      );
      let served = 0;
      for (const answer of answers) {
        const json = await answer.json();
        if (answer.status === 503 && atOnce < AT_ONCE) {
          assertEquals(answer.headers.get("retry-after"), "1");
          continue;
        }
        assertEquals([answer.status, json.choices[0].message.content], [200, want]);
        served++;
      }
      assert(served >= atOnce, `${served} were served`);
      const mb = peakMb(proxy.pid);
      console.log(`${what}, ${way}: ${Math.round(mb)} MB at most, ${served} served`);
      assert(mb < 400, `${mb} MB`);
      const metrics = await (await fetch(`${proxy.url}/metrics`)).text();
      assertStringIncludes(metrics, "openclaw_proxy_body_bytes 0\n");
      await provider.close();
    });
  }
}

/** A request that announces a body, and sends none of it. */
async function announced(proxyUrl: string, bytes: number, key: string): Promise<Deno.TcpConn> {
  const { port } = new URL(proxyUrl);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
    `authorization: Bearer ${key}\r\ncontent-length: ${bytes}\r\n\r\n`;
  await writeFully(connection, new TextEncoder().encode(head));
  return connection;
}

async function firstText(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(4096);
  const length = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
}

Deno.test("where there is no room left, a request is sent away before its body is read, and others are not", async () => {
  const key = (name: string) => ({ key: { env: name } });
  await using proxy = await startProxy({
    providers: { a: { kind: "openai", baseUrl: "http://127.0.0.1:9/v1" } },
    clients: { one: key("ONE"), two: key("TWO") },
  }, { secrets: "ONE=sk-one-1\nTWO=sk-two-2\n" });
  // The unit allows 512 MiB: bodies have 192 of them, each of several clients 96.
  const held = [
    await announced(proxy.url, 60_000_000, "sk-one-1"),
    await announced(proxy.url, 40_000_000, "sk-one-1"),
  ];
  const gauge = async (): Promise<string> => {
    const text = await (await fetch(`${proxy.url}/metrics`)).text();
    return /^openclaw_proxy_body_bytes (.*)$/m.exec(text)?.[1] ?? "";
  };
  await until("both are held", async () => await gauge() === "100000000");
  using late = await announced(proxy.url, 20_000_000, "sk-one-1");
  const answer = await firstText(late);
  assertStringIncludes(answer, "HTTP/1.1 503");
  assertStringIncludes(answer.toLowerCase(), "retry-after: 1");
  assertStringIncludes(answer, "as many large requests as its memory allows");
  using huge = await announced(proxy.url, 70_000_000, "sk-two-2");
  assertStringIncludes(await firstText(huge), "HTTP/1.1 400");
  held.push(await announced(proxy.url, 60_000_000, "sk-two-2"));
  await until("the third is held", async () => await gauge() === "160000000");
  for (const connection of held) connection.close();
  await until("all is given back", async () => await gauge() === "0");
});
