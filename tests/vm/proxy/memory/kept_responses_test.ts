// SPDX-License-Identifier: GPL-2.0-or-later
/** Responses that a client refers to: its own only, in bounded memory. @module */

import { assert, assertEquals } from "@std/assert";
import type { Exchange } from "../../../../vm/proxy/exchange.ts";
import { createKeptResponses } from "../../../../vm/proxy/memory/kept_responses.ts";
import { withReferences } from "../../../../vm/proxy/translate/references.ts";
import { bodyOf } from "../body_of.ts";

function exchange(client: string, body: Record<string, unknown>): Exchange {
  return {
    ...{ api: "responses", requestId: "r", client, body: bodyOf(JSON.stringify(body)) },
    ...{ model: "m", stream: true, untrustedHeaders: new Headers(), createdS: 0 },
    ...{
      broken: "error",
      isAgent: false,
      written: true,
      asksUsage: false,
      gone: new AbortController().signal,
    },
  };
}

const message = (id: string, content: string) => ({
  type: "message",
  id,
  role: "assistant",
  content,
});
const user = (content: string) => ({ role: "user", content });

Deno.test("a conversation is put together from its turns; who keeps it itself gets the reference", () => {
  const kept = createKeptResponses();
  const keep = (id: string, maker: string, body: Record<string, unknown>, said: string) =>
    kept.keeper(exchange("c", body))?.(id, maker, [message(`msg_${id}`, said)]);
  keep("r1", "", { model: "m", input: "one" }, "ONE");
  keep("r2", "up", { model: "m", input: [user("two")], previous_response_id: "r1" }, "TWO");
  const body = { previous_response_id: "r2", input: "three" };
  const own = kept.of("c");
  assertEquals(withReferences(body, "other", own), {
    input: [
      ...[user("one"), message("msg_r1", "ONE"), user("two"), message("msg_r2", "TWO")],
      user("three"),
    ],
  });
  assert(withReferences(body, "up", own) === body);
  const reference = (id: string) => ({ input: [{ type: "item_reference", id }] });
  assertEquals(withReferences(reference("msg_r2"), "other", own).input, [message("msg_r2", "TWO")]);
  for (const unknown of [{ previous_response_id: "r9", input: "x" }, reference("msg_9")]) {
    assert(withReferences(unknown, "other", own) === unknown);
  }
});

Deno.test("nobody sees what another client said; what is not to be kept is not", () => {
  const kept = createKeptResponses();
  kept.keeper(exchange("c", { model: "m", input: "one" }))?.("r1", "", [message("msg_1", "ONE")]);
  assertEquals([kept.of("d").response("r1"), kept.of("d").item("msg_1")], [undefined, undefined]);
  assertEquals(kept.keeper(exchange("c", { model: "m", input: "x", store: false })), undefined);
  const large = { model: "m", input: "x".repeat(600_000) };
  assertEquals(kept.keeper(exchange("c", large)), undefined);
});

Deno.test("a hundred long turns take no more memory than a few; the oldest are forgotten", () => {
  const kept = createKeptResponses();
  for (let turn = 0; turn < 100; turn++) {
    const asked = exchange("c", { model: "m", input: "x".repeat(100_000) });
    kept.keeper(asked)?.(`r${turn}`, "", [message(`msg_${turn}`, "y".repeat(100_000))]);
  }
  const own = kept.of("c");
  assertEquals([own.response("r0"), own.item("msg_0")], [undefined, undefined]);
  assertEquals(own.response("r99")?.items.length, 2);
  const alive = Array.from({ length: 100 }, (_, turn) => own.response(`r${turn}`) !== undefined);
  assert(alive.filter(Boolean).length <= 21, String(alive.filter(Boolean).length));
  for (let client = 0; client < 20; client++) {
    kept.keeper(exchange(`c${client}`, { model: "m", input: "x" }))?.("r1", "", []);
  }
  assertEquals([own.response("r99") !== undefined, kept.of("c").response("r99")], [
    true,
    undefined,
  ]);
});
