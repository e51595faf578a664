// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Providers that are slow, broken or hostile, seen through the real clients: whatever comes, the
 * client gets its answer or its own error class, soon, and never the provider's key.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { CLIENT_KEY, type ClientsWorld, clientsWorld, says, SECRET } from "./clients_world.ts";
import { anthropicEvent, messagePieces } from "./double_anthropic.ts";
import { chatPieces } from "./double_openai_chat.ts";
import { startProxy } from "./proxy_world.ts";
import { delta, type Piece, type Play, sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld();

const TEXTS = ["Hello, ", "Kraków! ", "🙂"];

/** Asks for a stream, and gives all that came, and how it ended. */
interface Asker {
  readonly name: string;
  stream(world: ClientsWorld, model: string): Promise<Outcome>;
  whole(world: ClientsWorld, model: string): Promise<Outcome>;
}

interface Outcome {
  readonly text: string;
  readonly error: unknown;
}

const CHAT: Asker = {
  name: "openai",
  stream: (world, model) =>
    outcome(async (add) => {
      const question = { model, messages: HELLO, stream: true as const };
      for await (const { choices } of await openAi(world).chat.completions.create(question)) {
        add(choices[0]?.delta.content ?? "");
      }
    }),
  whole: (world, model) =>
    outcome(async (add) => {
      const completion = await openAi(world).chat.completions.create({ model, messages: HELLO });
      add(completion.choices[0]?.message.content ?? "");
    }),
};

const MESSAGES: Asker = {
  name: "anthropic",
  stream: (world, model) =>
    outcome(async (add) => {
      const question = { model, max_tokens: 99, messages: HELLO };
      await anthropic(world).messages.stream(question).on("text", add).finalMessage();
    }),
  whole: (world, model) =>
    outcome(async (add) => {
      const question = { model, max_tokens: 99, messages: HELLO };
      const { content: [block] } = await anthropic(world).messages.create(question);
      add(block?.type === "text" ? block.text : "");
    }),
};

const HELLO = [{ role: "user" as const, content: "Say hello" }];

const openAi = ({ proxy }: ClientsWorld): OpenAI =>
  new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: CLIENT_KEY, maxRetries: 0 });

const anthropic = ({ proxy }: ClientsWorld): Anthropic =>
  new Anthropic({ baseURL: proxy.url, apiKey: CLIENT_KEY, maxRetries: 0 });

async function outcome(ask: (add: (text: string) => void) => Promise<void>): Promise<Outcome> {
  let text = "";
  try {
    await ask((one) => void (text += one));
    return { text, error: null };
  } catch (error) {
    return { text, error };
  }
}

/** Each client, with a provider of its own API and of the other. */
const PAIRS = [[CHAT, "oai"], [CHAT, "ant"], [MESSAGES, "ant"], [MESSAGES, "oai"]] as const;

const piecesOf = (via: "oai" | "ant"): Piece[] =>
  via === "ant" ? messagePieces({ texts: TEXTS }) : chatPieces({ texts: TEXTS });

function assertFailed({ error }: Outcome, what: string): void {
  const known = error instanceof OpenAI.APIError || error instanceof Anthropic.APIError;
  assert(known, `${what}: ${error}`);
  assert(!String(error).includes(SECRET), "the provider's key is shown");
}

for (const [client, via] of PAIRS) {
  const named = (what: string): string => `hostile ${client.name} via ${via}: ${what}`;

  test(named("a stream in single bytes is the same stream"), async (world) => {
    const bytes = new TextEncoder().encode(piecesOf(via).join(""));
    world.plays(() => raw("text/event-stream", [...bytes].map((byte) => Uint8Array.of(byte))));
    assertEquals(await client.stream(world, world.model(via)), {
      text: TEXTS.join(""),
      error: null,
    });
  });

  for (const stream of [false, true]) {
    const ask = stream ? client.stream : client.whole;
    const how = stream ? "a stream" : "a body";

    test(named(`a page of HTML for ${how} is a failure of the provider`), async (world) => {
      world.plays(() => raw("text/html", ["<html>Please log in</html>"]));
      assertFailed(await ask(world, world.model(via)), "HTML");
    });

    test(named(`nothing at all for ${how} is a failure of the provider`), async (world) => {
      world.plays(() => raw(stream ? "text/event-stream" : "application/json", []));
      assertFailed(await ask(world, world.model(via)), "nothing");
    });

    test(named(`a redirection for ${how} is not followed`), async (world) => {
      world.plays(() =>
        new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } })
      );
      assertFailed(await ask(world, world.model(via)), "redirection");
      assertEquals(world.upstream.seen.length, 1);
    });
  }

  test(named("a key in the middle of a stream does not reach the client"), async (world) => {
    const error = { type: "invalid_request_error", message: `Bad key ${SECRET}` };
    const failure = via === "ant"
      ? anthropicEvent("error", { error })
      : `data: ${JSON.stringify({ error })}\n\n`;
    world.plays((_, { gone }) =>
      sse([...piecesOf(via).slice(0, via === "ant" ? 4 : 2), failure], gone)
    );
    const got = await client.stream(world, world.model(via));
    assertEquals(got.text, "Hello");
    assertFailed(got, "a key");
  });

  test(
    named("a key in the body of a 400 does not reach the client, however it is written"),
    async (world) => {
      for (
        const body of [
          `<p>${SECRET}</p>`,
          JSON.stringify({ error: SECRET }),
          JSON.stringify([SECRET]),
        ]
      ) {
        world.plays(() => new Response(body, { status: 400 }));
        assertFailed(await client.whole(world, world.model(via)), body);
      }
    },
  );

  test(named("counts that are none do not break the books"), async (world) => {
    const bad = ["1e999", "-5", "1.5", '"many"', "null", "[]", "99999999999999999999"];
    for (const count of bad) {
      const pattern = /"(prompt|completion|total|input|output|cached|reasoning)_tokens":\d+/g;
      const pieces = piecesOf(via).map((piece) =>
        typeof piece === "string" ? piece.replace(pattern, `"$1_tokens":${count}`) : piece
      );
      world.plays((_, { gone }) => sse(pieces, gone));
      const got = await client.stream(world, world.model(via));
      assertEquals(got, { text: TEXTS.join(""), error: null }, count);
    }
    const metrics = await (await fetch(`${world.proxy.url}/metrics`)).text();
    const totals = metrics.split("\n").filter((line) =>
      line.startsWith("openclaw_proxy_tokens_total")
    );
    for (const line of totals) {
      const total = Number(line.split(" ").at(-1));
      assert(total >= 0 && total < 1e9, line);
    }
  });

  test(
    named("a line without an end costs a bounded part of memory, and is an error"),
    async (world) => {
      const part = new TextEncoder().encode("a".repeat(1 << 20));
      let sent = 0;
      world.plays((_, { gone }) =>
        raw(
          "text/event-stream",
          (function* () {
            yield new TextEncoder().encode(
              piecesOf(via).slice(0, via === "ant" ? 4 : 2).join("") + "data: ",
            );
            while (sent++ < 200 && !gone.aborted) yield part;
          })(),
        )
      );
      const { error } = await client.stream(world, world.model(via));
      assert(error !== null, "an endless line is a success");
      assert(sent < 120, `the provider could send ${sent} MiB`);
    },
  );
}

/** A body of exactly these pieces. */
function raw(contentType: string, pieces: Iterable<string | Uint8Array<ArrayBuffer>>): Response {
  const encoder = new TextEncoder();
  const iterator = Iterator.from(pieces);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { value, done } = iterator.next();
      if (done === true) return controller.close();
      controller.enqueue(typeof value === "string" ? encoder.encode(value) : value);
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": contentType } });
}

test("hostile: a chunk that is no JSON ends a translated stream with an error", async (world) => {
  for (const bad of ["{nothing}", '{"choices":[],"usage":{"prompt_tokens":NaN}}', "[]", "7"]) {
    const broken: Play = (_, { gone }) => sse([delta("Hello"), `data: ${bad}\n\n`], gone);
    world.plays(broken);
    const got = await MESSAGES.stream(world, world.model("oai"));
    assertEquals(got.text, "Hello");
    assertFailed(got, bad);
  }
});

test("hostile: headers without an end are a failure of the provider, soon", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let sentBytes = 0;
  const serving = (async () => {
    for await (const connection of listener) {
      const line = new TextEncoder().encode(`x-${"a".repeat(4000)}: b\r\n`);
      try {
        await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n"));
        while (sentBytes < 100e6) sentBytes += await connection.write(line);
      } catch {
        // it is not read any more
      } finally {
        connection.close();
      }
    }
  })();
  const baseUrl = `http://127.0.0.1:${listener.addr.port}/v1`;
  {
    await using proxy = await startProxy({ providers: { evil: { kind: "openai", baseUrl } } });
    const answer = await proxy.chat({ model: "evil/m", stream: true });
    assertEquals([answer.status, (await answer.json()).error.code], [503, "overloaded"]);
  }
  listener.close();
  await serving;
  assert(sentBytes < 50e6, `it could send ${sentBytes} bytes`);
});

test("hostile: after all that the proxy still answers", async (world) => {
  world.plays(says("oai", { texts: TEXTS }));
  const model = world.model("oai");
  assertEquals(await CHAT.stream(world, model), { text: TEXTS.join(""), error: null });
});

end("hostile");
