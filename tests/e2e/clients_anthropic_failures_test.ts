// SPDX-License-Identifier: GPL-2.0-or-later
/** Anthropic's own client, 1.x and 0.x alike, while a provider of either API fails. @module */

import { assert, assertEquals } from "@std/assert";
import { ask, clientsOf, failureOf, MAJORS, textOf, TEXTS } from "./clients_anthropic.ts";
import { clientsWorld, SECRET, until } from "./clients_world.ts";
import { anthropicError, errorEvent, messagePieces } from "./double_anthropic.ts";
import { chatPieces, openAiError } from "./double_openai_chat.ts";
import { sse } from "./proxy_upstream.ts";

const { test, end } = clientsWorld();

for (const [major, Client] of MAJORS) {
  const clientOf = clientsOf(Client);

  for (const via of ["ant", "oai"] as const) {
    for (
      const [status, Class, want] of [
        [400, Client.BadRequestError, 400],
        [401, Client.NotFoundError, 404],
        [403, Client.NotFoundError, 404],
        [404, Client.NotFoundError, 404],
        [413, Client.BadRequestError, 400],
        [429, Client.InternalServerError, 503],
        [500, Client.InternalServerError, 503],
        [529, Client.InternalServerError, 503],
      ] as const
    ) {
      test(`B6 ${major} ${via}: the provider's ${status} is ${Class.name} ${want}`, async (world) => {
        const message = `no, said about ${SECRET}`;
        world.plays(() =>
          via === "ant" ? anthropicError(status, message) : openAiError(status, message)
        );
        const error = await failureOf(clientOf(world), world.model(via));
        assert(error instanceof Class && error instanceof Client.APIError, String(error));
        assertEquals(error.status, want);
        const body = error.error as { type: string; error: { type: string }; request_id: string };
        const types: Record<number, string> = {
          ...{ 400: "invalid_request_error", 404: "not_found_error", 503: "overloaded_error" },
        };
        assertEquals([body.type, body.error.type], ["error", types[want]]);
        assertEquals([error.requestID, body.request_id], [body.request_id, error.requestID]);
        assert(!error.message.includes(SECRET), "the provider's key is shown to the client");
      });
    }

    test(`B7 ${major} ${via}: a stream that fails, is cut or just ends is an APIError`, async (world) => {
      const pieces = via === "ant"
        ? messagePieces({ texts: TEXTS }).slice(0, 4)
        : chatPieces({ texts: TEXTS }).slice(0, 2);
      const failure = via === "ant"
        ? errorEvent(529, "Overloaded")
        : `data: ${JSON.stringify({ error: { message: "Overloaded", type: "server_error" } })}\n\n`;
      for (const rest of [[failure], ["cut" as const], []]) {
        world.plays((_, { gone }) => sse([...pieces, ...rest], gone));
        let text = "";
        const error = await clientOf(world).messages.stream(ask(world.model(via)))
          .on("text", (one) => void (text += one)).finalMessage().catch((error: unknown) => error);
        assertEquals(text, "Hello", `after ${rest}`);
        assert(error instanceof Client.APIError, `after ${rest}: ${error}`);
      }
    });

    test(`B7 ${major} ${via}: pings while the provider is silent are no words`, async (world) => {
      const pieces = via === "ant" ? messagePieces({ texts: TEXTS }) : chatPieces({ texts: TEXTS });
      world.plays((_, { gone }) =>
        sse([400, ...pieces.slice(0, 4), 400, ...pieces.slice(4)], gone)
      );
      const message = await clientOf(world).messages.stream(ask(world.model(via))).finalMessage();
      assertEquals(textOf(message.content), TEXTS.join(""));
    });

    test(`B7 ${major} ${via}: a client that leaves its stream ends the provider's work`, async (world) => {
      const pieces = via === "ant" ? messagePieces({ texts: TEXTS }) : chatPieces({ texts: TEXTS });
      world.plays((_, { gone }) => sse([...pieces.slice(0, 4), 60_000], gone));
      const stream = clientOf(world).messages.stream(ask(world.model(via)));
      await new Promise((resolve) => stream.once("text", resolve));
      stream.abort();
      await stream.done().catch(() => {});
      let gone = false;
      world.upstream.seen[0]?.gone.then(() => gone = true);
      await until(() => gone, "the provider is left");
    });
  }
}

end("anthropic: failures");
