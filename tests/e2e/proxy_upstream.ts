// SPDX-License-Identifier: GPL-2.0-or-later
/** Providers' doubles on loopback, which speak the wire formats and fail as they are told. @module */

export interface SeenRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
  readonly text: string;
  /** Resolves when the caller has gone before the answer was over. */
  readonly gone: Promise<void>;
}

export interface Upstream {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** What it does next; the last one stays. */
  script: Play[];
  close(): Promise<void>;
}

export type Play = (request: SeenRequest, tools: PlayTools) => Response | Promise<Response>;

export interface PlayTools {
  /** Fires when the caller goes. */
  readonly gone: AbortSignal;
}

export function startUpstream(...script: Play[]): Upstream {
  const seen: SeenRequest[] = [];
  const upstream = { script };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const text = await request.text();
    const gone = new AbortController();
    request.signal.addEventListener("abort", () => gone.abort());
    const one: SeenRequest = {
      ...{ path: new URL(request.url).pathname, headers: request.headers, text },
      body: text === "" ? {} : JSON.parse(text),
      gone: new Promise((resolve) => gone.signal.addEventListener("abort", () => resolve())),
    };
    seen.push(one);
    const play = upstream.script.length > 1 ? upstream.script.shift() : upstream.script[0];
    if (play === undefined) return new Response("no script", { status: 500 });
    return await play(one, { gone: gone.signal });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    seen,
    get script() {
      return upstream.script;
    },
    set script(next) {
      upstream.script = next;
    },
    close: () => server.shutdown().catch(() => {}),
  };
}

const encoder = new TextEncoder();

/** Pieces of a stream: text, a wait in ms, or how it ends. */
export type Piece = string | number | "cut" | Promise<unknown>;

export function sse(pieces: readonly Piece[], gone: AbortSignal): Response {
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      while (!gone.aborted) {
        const piece = pieces[at++];
        if (piece === undefined) return controller.close();
        if (piece === "cut") {
          await pause(30, gone); // what came before is to arrive: some servers throw it away
          return controller.error(new Error("cut"));
        }
        if (typeof piece === "string") return controller.enqueue(encoder.encode(piece));
        await (typeof piece === "number" ? pause(piece, gone) : piece);
      }
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

export function pause(ms: number, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    until.addEventListener("abort", () => (clearTimeout(timer), resolve()));
  });
}

export const chunk = (choice: unknown, more: Record<string, unknown> = {}): string =>
  `data: ${
    JSON.stringify({
      ...{ id: "chatcmpl-up1", object: "chat.completion.chunk", created: 1, model: "m" },
      choices: [choice],
      ...more,
    })
  }\n\n`;

export const delta = (content: string): string =>
  chunk({ index: 0, delta: { content }, finish_reason: null });
export const ROLE = chunk({
  index: 0,
  delta: { role: "assistant", content: "" },
  finish_reason: null,
});
export const STOP = chunk({ index: 0, delta: {}, finish_reason: "stop" });
export const USAGE = `data: ${
  JSON.stringify({
    ...{ id: "chatcmpl-up1", object: "chat.completion.chunk", created: 1, model: "m", choices: [] },
    usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
  })
}\n\n`;
export const DONE = "data: [DONE]\n\n";

export const says = (...texts: readonly string[]): Play => ({ body }, { gone }) =>
  body["stream"] === true
    ? sse([ROLE, ...texts.map(delta), STOP, USAGE, DONE], gone)
    : Response.json(completion(texts.join("")));

export function completion(content: string): unknown {
  return {
    ...{ id: "chatcmpl-up1", object: "chat.completion", created: 1, model: "m" },
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
  };
}

export const fails =
  (status: number, message = "no", headers: Record<string, string> = {}): Play => () =>
    Response.json({ error: { message, type: "x", code: null } }, { status, headers });

/** Takes the request and says nothing until the caller goes. */
export const hangs: Play = async (_, { gone }) => {
  await new Promise<void>((resolve) => gone.addEventListener("abort", () => resolve()));
  return new Response(null, { status: 500 });
};

const event = (type: string, fields: Record<string, unknown>): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

/** A message of Anthropic's API, as a stream's pieces. */
export function messageEvents(text: string): string[] {
  const usage = { input_tokens: 10, cache_read_input_tokens: 90, output_tokens: 1 };
  return [
    event("message_start", {
      message: {
        ...{ id: "msg_up1", type: "message", role: "assistant", model: "m", content: [] },
        ...{ stop_reason: null, stop_sequence: null, usage },
      },
    }),
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    event("ping", {}),
    event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    event("content_block_stop", { index: 0 }),
    event("message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 7 },
    }),
    event("message_stop", {}),
  ];
}

export const saysMessage = (text: string): Play => ({ body }, { gone }) =>
  body["stream"] === true ? sse(messageEvents(text), gone) : Response.json({
    ...{ id: "msg_up1", type: "message", role: "assistant", model: "m" },
    content: [{ type: "text", text }],
    ...{ stop_reason: "end_turn", stop_sequence: null },
    usage: { input_tokens: 10, output_tokens: 7 },
  });
