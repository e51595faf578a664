// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * OpenAI's own client against the real proxy while a provider fails: errors as its classes,
 * streams that break, silence, clients that leave.
 *
 * @module
 */

import { within } from "../../shared/io/timing.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import OpenAI from "openai";
import {
  CLIENT_KEY,
  type ClientsWorld,
  clientsWorld,
  says,
  SECRET,
  until,
} from "./clients_world.ts";
import { anthropicError, errorEvent, messagePieces } from "./double_anthropic.ts";
import { chatPieces, openAiError } from "./double_openai_chat.ts";
import { fails, hangs, type Piece, type Play, sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld();

const VIAS = ["oai", "ant"] as const;
type Via = typeof VIAS[number];

const clientOf = ({ proxy }: ClientsWorld, more: Record<string, unknown> = {}): OpenAI =>
  new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: CLIENT_KEY, maxRetries: 0, ...more });

const ask = (model: string) => ({
  model,
  messages: [{ role: "user" as const, content: "Say hello" }],
});

const TEXT = { texts: ["Hello, ", "you"] };

/** All that came before the stream ended, and with what error. */
async function consume(client: OpenAI, model: string, options: OpenAI.RequestOptions = {}) {
  let text = "";
  try {
    const stream = await client.chat.completions.create({ ...ask(model), stream: true }, options);
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
    return { text, error: null };
  } catch (error) {
    return { text, error };
  }
}

async function failureOf(
  client: OpenAI,
  model: string,
): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await client.chat.completions.create(ask(model)).catch((error: unknown) => error);
  assert(error instanceof OpenAI.APIError, String(error));
  return error;
}

/**
 * A provider's status -> the client's class. A refused key, an unpaid bill and a provider's own
 * limit are no fault of this client (P5): 401, 402, 403 and 429 of a provider never reach it.
 */
const STATUSES = [
  [400, OpenAI.BadRequestError, 400],
  [401, OpenAI.NotFoundError, 404],
  [402, OpenAI.BadRequestError, 400],
  [403, OpenAI.NotFoundError, 404],
  [404, OpenAI.NotFoundError, 404],
  [409, OpenAI.InternalServerError, 503],
  [413, OpenAI.BadRequestError, 400],
  [422, OpenAI.UnprocessableEntityError, 422],
  [429, OpenAI.InternalServerError, 503],
  [500, OpenAI.InternalServerError, 503],
  [529, OpenAI.InternalServerError, 503],
] as const;

for (const via of VIAS) {
  for (const [status, Class, want] of STATUSES) {
    test(`A9 ${via}: the provider's ${status} is ${Class.name} ${want}`, async (world) => {
      const message = `no, said about ${SECRET}`;
      world.plays(() =>
        via === "ant" ? anthropicError(status, message) : openAiError(status, message)
      );
      const error = await failureOf(clientOf(world), world.model(via));
      assert(error instanceof Class, `${error}`);
      assertEquals(error.status, want);
      const fields = Object.keys(error.error as Record<string, unknown>).sort();
      assertEquals(fields, ["code", "message", "param", "type"]);
      assert((error.requestID ?? "").length >= 16, "no x-request-id");
      assert(!error.message.includes(SECRET), "the provider's key is shown to the client");
      assertEquals(error.headers?.has("retry-after"), want === 503);
    });
  }

  test(`A10 ${via}: a stream that fails in its middle is an APIError`, async (world) => {
    const pieces = piecesOf(via).slice(0, via === "ant" ? 4 : 2);
    const failure = via === "ant"
      ? errorEvent(529, "Overloaded")
      : `data: ${
        JSON.stringify({ error: { message: "Overloaded", type: "server_error", code: null } })
      }\n\n`;
    world.plays((_, { gone }) => sse([...pieces, failure], gone));
    const { text, error } = await consume(clientOf(world), world.model(via));
    assertEquals(text, "Hello");
    assert(error instanceof OpenAI.APIError, String(error));
    assertStringIncludes(error.message, "Overloaded");
  });

  for (const how of ["cut", "ended"] as const) {
    test(`A10 ${via}: a stream that is ${how} in its middle is an APIError, too`, async (world) => {
      const pieces = piecesOf(via).slice(0, via === "ant" ? 4 : 2);
      world.plays((_, { gone }) => sse(how === "cut" ? [...pieces, "cut"] : pieces, gone));
      const { text, error } = await consume(clientOf(world), world.model(via));
      assertEquals(text, "Hello");
      assert(error instanceof OpenAI.APIError, `${how}: ${error}`);
    });
  }

  test(`A10 ${via}: one that fails before its first word is a status, and is retried`, async (world) => {
    const failure = via === "ant"
      ? errorEvent(529, "Overloaded")
      : `data: ${JSON.stringify({ error: { message: "Overloaded", type: "server_error" } })}\n\n`;
    world.plays((_, { gone }) => sse([failure], gone), says(via, TEXT));
    const { text, error } = await consume(clientOf(world), world.model(via));
    assertEquals([text, error], ["Hello, you", null]);
    assertEquals(world.upstream.seen.length, 2);
  });

  test(`A11 ${via}: signs of life of either side are no words`, async (world) => {
    const pieces = piecesOf(via);
    const slow: Piece[] = [
      ": ping\n\n",
      300,
      ...pieces.slice(0, 4),
      ": ping\n\n",
      500,
      ...pieces.slice(4),
    ];
    world.plays((_, { gone }) => sse(slow, gone));
    assertEquals(await consume(clientOf(world), world.model(via)), {
      text: "Hello, you",
      error: null,
    });
  });

  test(`A11 ${via}: a body where a stream was asked for is no silent success`, async (world) => {
    const play: Play = (request, tools) =>
      says(via, TEXT)({ ...request, body: { ...request.body, stream: false } }, tools);
    world.plays(play);
    const { text, error } = await consume(clientOf(world), world.model(via));
    if (error === null) assertEquals(text, "Hello, you");
    else assert(error instanceof OpenAI.APIError, String(error));
  });

  test(`A12 ${via}: leaving the loop, or an AbortSignal, ends the provider's work`, async (world) => {
    const endless = (): Play => (_, { gone }) => sse([...piecesOf(via).slice(0, 4), 60_000], gone);
    world.plays(endless());
    const client = clientOf(world);
    for await (
      const _ of await client.chat.completions.create({ ...ask(world.model(via)), stream: true })
    ) {
      break;
    }
    await ended(world.upstream.seen[0]?.gone);
    const leaving = new AbortController();
    const signal = leaving.signal;
    const waiting = consume(client, world.model(via), { signal });
    await until(() => world.upstream.seen.length === 2, "a second request");
    leaving.abort();
    await waiting;
    await ended(world.upstream.seen[1]?.gone);
  });

  test(`A12 ${via}: a client that waits no longer for a stream is noticed with the next sign of life`, async (world) => {
    world.plays(hangs);
    const leaving = new AbortController();
    const waiting = consume(clientOf(world), world.model(via), { signal: leaving.signal });
    await until(() => world.upstream.seen.length === 1, "a request");
    leaving.abort();
    await waiting;
    await ended(world.upstream.seen[0]?.gone);
  });

  // Deno 2.8.3 to 2.9.6 do not tell that a client has left before its answer has begun, if the
  // request came in more than one piece, as these do. Then responseSeconds ends it, here 2.
  test(`A12 ${via}: a client that waits no longer for a body gets its own error, and the work ends`, async (world) => {
    world.plays(hangs);
    const client = clientOf(world, { timeout: 400 });
    const error = await client.chat.completions.create(ask(world.model(via)))
      .catch((error: unknown) => error);
    assert(error instanceof OpenAI.APIConnectionTimeoutError, String(error));
    await ended(world.upstream.seen[0]?.gone);
  });
}

/** A minute is against a hang only. */
async function ended(event: Promise<void> | undefined): Promise<void> {
  assert(await within(60_000, event ?? Promise.reject(new Error("it was not asked"))));
}

function piecesOf(via: Via): Piece[] {
  return via === "ant" ? messagePieces(TEXT) : chatPieces(TEXT);
}

test("A9 the proxy's own refusals: an unknown key, too many requests", async (world) => {
  world.plays(says("oai", TEXT));
  const stranger = await failureOf(clientOf(world, { apiKey: "guessed" }), world.model("oai"));
  assert(stranger instanceof OpenAI.AuthenticationError, String(stranger));
  const few = clientOf(world, { apiKey: "few-requests" });
  await few.chat.completions.create(ask(world.model("oai")));
  const limited = await failureOf(few, world.model("oai"));
  assert(limited instanceof OpenAI.RateLimitError, String(limited));
  assert(Number(limited.headers?.get("retry-after")) > 0);
});

for (const header of [["retry-after", "1"], ["retry-after-ms", "300"]] as const) {
  test(`A9 a provider's ${header[0]} is kept to inside the request`, async (world) => {
    world.plays(fails(429, "slow down", { [header[0]]: header[1] }), says("oai", TEXT));
    const beganMs = performance.now();
    const client = clientOf(world);
    const completion = await client.chat.completions.create(ask(world.model("oai")));
    assertEquals(completion.choices[0]?.message.content, "Hello, you");
    const tookMs = performance.now() - beganMs;
    assert(tookMs >= (header[0] === "retry-after" ? 1000 : 300), `asked again after ${tookMs} ms`);
  });
}

test("A9 the client's own retries see the proxy's Retry-After", async (world) => {
  // Three failures: two of them are the proxy's own attempts.
  world.plays(fails(503), fails(503), fails(503), says("oai", TEXT));
  const client = clientOf(world, { maxRetries: 2 });
  const completion = await client.chat.completions.create(ask(world.model("oai")));
  assertEquals(completion.choices[0]?.message.content, "Hello, you");
});

end("openai: failures");
