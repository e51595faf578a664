// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The provider behind every proxy of the bench, in a process of its own: OpenAI's chat
 * completions, whole and streamed. Prints its port as JSON; ends when its stdin ends.
 *
 * The model's name says what it does: "stream-CHUNKS-GAPMS" streams that many chunks, so far
 * apart (whole where no stream is asked for); "fail-STATUS" fails. Each chunk's text is the time
 * at which it was sent, behind an "@"; "/clock" tells what that clock says now.
 *
 * @module
 */

const text = new TextEncoder();

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

const SAME = { id: "chatcmpl-double", created: 1_790_000_000, model: "double" } as const;
const USAGE = { prompt_tokens: 15_000, completion_tokens: 100, total_tokens: 15_100 } as const;

function whole(): Response {
  const message = { role: "assistant", content: `@${nowMs()} ${"An answer. ".repeat(40)}` };
  return Response.json({
    ...{ ...SAME, object: "chat.completion", usage: USAGE },
    choices: [{ index: 0, message, finish_reason: "stop" }],
  });
}

function chunk(delta: unknown, finish_reason: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason }];
  return `data: ${JSON.stringify({ ...SAME, object: "chat.completion.chunk", choices })}\n\n`;
}

const END = text.encode(
  chunk({}, "stop") +
    `data: ${
      JSON.stringify({ ...SAME, object: "chat.completion.chunk", choices: [], usage: USAGE })
    }\n\ndata: [DONE]\n\n`,
);

function streamed(chunks: number, gapMs: number): Response {
  const beganMs = performance.now();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (sent === chunks) {
        controller.enqueue(END);
        return controller.close();
      }
      const waitMs = beganMs + sent * gapMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      sent++;
      controller.enqueue(text.encode(chunk({ role: "assistant", content: `@${nowMs()} ` })));
    },
  }, { highWaterMark: 0 });
  // Deno would pack it, and gather chunks to do so.
  const headers = { "content-type": "text/event-stream", "cache-control": "no-transform" };
  return new Response(body, { headers });
}

async function answer(request: Request): Promise<Response> {
  if (request.method === "GET") return Response.json(nowMs());
  const body = await request.text();
  const failure = /"model":"fail-(\d{3})"/.exec(body)?.[1];
  if (failure !== undefined) {
    const headers = failure === "429" ? { "retry-after": "1" } : undefined;
    const error = { message: "not now", type: "x", code: null };
    return Response.json({ error }, { status: Number(failure), ...headers && { headers } });
  }
  if (!/"stream":true/.test(body)) return whole();
  const [, chunks = "1", gapMs = "0"] = /"model":"stream-(\d+)-(\d+)"/.exec(body) ?? [];
  return streamed(Number(chunks), Number(gapMs));
}

if (import.meta.main) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  console.log(JSON.stringify({ port: server.addr.port, pid: Deno.pid }));
  await Deno.stdin.readable.pipeTo(new WritableStream());
  Deno.exit(0);
}
