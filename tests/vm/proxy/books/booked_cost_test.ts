// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Money: whatever a stream says and wherever it is left, what is booked is within 15 % of what it
 * cost by the real tokenizer, and so never below 85 %.
 */

import { assert, assertEquals } from "@std/assert";
import { countTokens as realTokens, encode } from "gpt-tokenizer";
import { type BookedTokens, bookedTokens } from "../../../../vm/proxy/books/booked_tokens.ts";
import { createCalibration } from "../../../../vm/proxy/books/calibration.ts";
import { formatOf } from "../../../../vm/proxy/attempt/client_format.ts";
import type { Target } from "../../../../vm/proxy/config/config.ts";
import { eventsAnswer } from "../../../../vm/proxy/attempt/events_answer.ts";
import {
  type Answer,
  type Api,
  type Exchange,
  NO_SEEN,
  NO_TOKENS,
} from "../../../../vm/proxy/exchange.ts";
import { type ByteSource, isWhole } from "../../../../vm/proxy/bytes.ts";
import { costOf } from "../../../../vm/proxy/books/prices.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";
import { relay, type RelayReport } from "../../../../vm/proxy/stream/relay.ts";
import { resolveModel } from "../../../../vm/proxy/route/models.ts";
import { until } from "../../../until.ts";
import { bodyOf } from "../body_of.ts";
import { mixedText, seeded } from "../texts.ts";

const CONFIG = parseConfig({
  providers: { openai: { kind: "openai" }, anthropic: { kind: "anthropic" } },
  prices: { "openai/m": { input: 2, output: 10 }, "anthropic/m": { input: 2, output: 10 } },
});

function targetOf(name: string): Target {
  assert("providers" in CONFIG);
  const target = resolveModel(name, CONFIG)?.[0]?.[0];
  assert(target !== undefined);
  return target;
}

function cost(tokens: { readonly input: number; readonly output: number }, target: Target): number {
  assert("providers" in CONFIG);
  return costOf({ ...NO_TOKENS, ...tokens }, target, CONFIG) ?? NaN;
}

type Part = "thought" | "said" | "arguments";

/** What a model does: parts one after the other, each in pieces. */
interface Turn {
  readonly prompt: string;
  readonly pieces: readonly (readonly [Part, string])[];
}

/** Pieces are a tokenizer's own, or cut anywhere, as servers do. */
function turnOf(random: () => number): Turn {
  const pieces: [Part, string][] = [];
  for (const part of ["thought", "said", "arguments"] as const) {
    if (random() < 0.3) continue;
    const text = part === "arguments"
      ? JSON.stringify({ path: "/home/user/notes.md", content: mixedText(random, 800) })
      : mixedText(random, 300 + random() * 2000);
    const longest = random() < 0.5 ? 6 : 120;
    for (let at = 0; at < text.length;) {
      const end = at + 1 + Math.floor(random() * longest);
      pieces.push([part, text.slice(at, end).toWellFormed()]);
      at = end;
    }
  }
  return { prompt: mixedText(random, 2000 + random() * 4000), pieces };
}

const data = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`;
const typed = (type: string, fields: Record<string, unknown>): string =>
  `event: ${type}\n${data({ type, ...fields })}`;
const FIELD = { thought: "reasoning_content", said: "content", arguments: "" } as const;

/** The stream of each API: its beginning, an event for each piece, its end with the usage. */
const STREAMS: Record<
  "chat" | "messages" | "responses",
  {
    begin(input: number): string;
    piece(part: Part, text: string, first: boolean): string;
    end(output: number, input: number): string;
  }
> = {
  chat: {
    begin: () => data({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] }),
    piece: (part, text, first) => {
      const call = {
        index: 0,
        ...first && { id: "call_1" },
        function: { ...first && { name: "write_file" }, arguments: text },
      };
      const delta = part === "arguments" ? { tool_calls: [call] } : { [FIELD[part]]: text };
      return data({
        id: "chatcmpl-1",
        choices: [{ index: 0, delta, finish_reason: null }],
        usage: null,
      });
    },
    end: (completion_tokens, prompt_tokens) =>
      data({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) +
      data({ choices: [], usage: { prompt_tokens, completion_tokens } }) + "data: [DONE]\n\n",
  },
  messages: {
    begin: (input_tokens) =>
      typed("message_start", {
        message: { id: "msg_1", content: [], usage: { input_tokens, output_tokens: 1 } },
      }),
    piece: (part, text) => {
      const delta = part === "thought"
        ? { type: "thinking_delta", thinking: text }
        : part === "said"
        ? { type: "text_delta", text }
        : { type: "input_json_delta", partial_json: text };
      return typed("content_block_delta", { index: 0, delta });
    },
    end: (output_tokens) =>
      typed("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens } }) +
      typed("message_stop", {}),
  },
  responses: {
    begin: () => typed("response.created", { response: { id: "resp_1", output: [] } }),
    piece: (part, delta) => {
      const type = part === "said"
        ? "response.output_text.delta"
        : part === "thought"
        ? "response.reasoning_summary_text.delta"
        : "response.function_call_arguments.delta";
      return typed(type, { item_id: "fc_1", output_index: 0, delta, sequence_number: 7 });
    },
    end: (output_tokens, input_tokens) =>
      typed("response.output_text.done", { text: "all of it again ".repeat(100) }) +
      typed("response.completed", {
        response: {
          output: [{ content: [{ text: "and again ".repeat(90) }] }],
          usage: { input_tokens, output_tokens },
        },
      }),
  },
};

function exchangeOf(api: Api, prompt: string): Exchange {
  const body = JSON.stringify({
    model: "m",
    stream: true,
    messages: [{ role: "user", content: prompt }],
  });
  return {
    ...{ api, requestId: "r", body: bodyOf(body), model: "m", stream: true, client: "c" },
    ...{ untrustedHeaders: new Headers(), createdS: 0, broken: "error", isAgent: false },
    ...{ written: false, asksUsage: true, gone: new AbortController().signal },
  };
}

function sourceOf(events: readonly string[]): ByteSource {
  let at = 0;
  return {
    read() {
      const event = events[at++];
      // What was cut off never comes: the client leaves.
      return event === undefined
        ? new Promise(() => {})
        : Promise.resolve(new TextEncoder().encode(event));
    },
    cancel() {},
  };
}

/** Reads so many events of it, and leaves, or reads all. */
async function left(
  exchange: Exchange,
  answer: Answer,
  events: number,
  all: boolean,
): Promise<RelayReport> {
  const report = Promise.withResolvers<RelayReport>();
  const stream = relay(
    exchange,
    { answer: Promise.resolve(answer), late: false },
    { heartbeatMs: 60_000, idleMs: 60_000 },
    { dice: { nowMs: () => 0 }, secrets: { scrub: (text) => text }, endings: new Set() },
    report.resolve,
  );
  const reader = stream.getReader();
  for (let read = 0; all || read < events; read++) {
    const { done } = await reader.read();
    if (done) break;
  }
  await reader.cancel();
  return await report.promise;
}

function booked(
  exchange: Exchange,
  target: Target,
  report: RelayReport,
  calibration = createCalibration(),
): BookedTokens {
  return bookedTokens({
    ...{
      api: exchange.api,
      target,
      isWhole: report.end === "complete",
      named: report.tokens,
      seen: report.seen,
    },
    promptTokens: exchange.body.promptTokens,
  }, calibration);
}

function assertFair(found: number, truth: number, where: string): void {
  const ratio = found / truth;
  assert(ratio >= 0.85 && ratio <= 1.15, `${where}: booked ${ratio} of the truth`);
}

const ROUNDS = 12;

for (const api of ["chat", "messages", "responses"] as const) {
  Deno.test(`a stream of ${api} that is left at any event is booked within 15 % of its cost`, async () => {
    const wire = STREAMS[api];
    const target = targetOf(api === "messages" ? "anthropic/m" : "openai/m");
    let cuts = 0;
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const { prompt, pieces } = turnOf(seeded(seed));
      const input = realTokens(prompt) + 7;
      const texts = { thought: "", said: "", arguments: "" };
      const events = [wire.begin(input)];
      let calls = 0;
      for (const [cut, [part, text]] of pieces.entries()) {
        const isFirst = texts[part] === "";
        if (part === "arguments" && isFirst) calls++;
        texts[part] += text;
        events.push(wire.piece(part, text, isFirst));
        if (cut % 7 !== seed % 7) continue; // each seed at other ones
        const output = Object.values(texts).reduce((sum, one) => sum + encode(one).length, 0) +
          calls * 8;
        const exchange = exchangeOf(api, prompt);
        const answer: Answer = {
          contentType: "text/event-stream",
          body: sourceOf(events),
          own: null,
        };
        const report = await left(exchange, answer, events.length, false);
        const found = booked(exchange, target, report);
        assertEquals([report.end, found.estimated], ["cancelled", true]);
        assertFair(
          cost(found, target),
          cost({ input, output }, target),
          `seed ${seed}, event ${cut}`,
        );
        cuts++;
      }
      const whole = [...events, wire.end(4321, input)];
      const exchange = exchangeOf(api, prompt);
      const body: ByteSource = { ...sourceOf(whole), read: ended(whole) };
      const report = await left(
        exchange,
        { contentType: "text/event-stream", body, own: null },
        0,
        true,
      );
      const found = booked(exchange, target, report);
      assertEquals([report.end, found.input, found.output, found.estimated], [
        "complete",
        input,
        4321,
        false,
      ]);
    }
    assert(cuts > 100, `${cuts} cuts`);
  });
}

function ended(events: readonly string[]): ByteSource["read"] {
  let at = 0;
  return () => {
    const event = events[at++];
    return Promise.resolve(event === undefined ? null : new TextEncoder().encode(event));
  };
}

for (const api of ["chat", "messages", "responses", "ollama"] as const) {
  Deno.test(`a translated stream for ${api} that is left at any event is booked within 15 % of its cost`, async () => {
    const target = targetOf("anthropic/m");
    let cuts = 0;
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const { prompt, pieces } = turnOf(seeded(seed + 100));
      const input = realTokens(prompt) + 7;
      for (let cut = seed % 11; cut < pieces.length; cut += 11) {
        const shown = pieces.slice(0, cut + 1);
        const textOf = (part: Part): string =>
          shown.filter(([one]) => one === part).map(([, text]) => text).join("");
        const called = textOf("arguments");
        const output = encode(textOf("thought")).length + encode(textOf("said")).length +
          encode(called).length + (called === "" ? 0 : 8);
        const exchange = exchangeOf(api, prompt);
        const format = formatOf(exchange);
        assert(format !== undefined);
        const usage = {
          inputTokens: input,
          cachedTokens: 0,
          cacheWriteTokens: 0,
          outputTokens: 1,
          reasoningTokens: 0,
        };
        let next = 0;
        let isCalled = false;
        const answer = await eventsAnswer(exchange, format, {
          tools: [],
          includeUsage: false,
          maker: "x",
        }, {
          next() {
            if (next === 0) {
              next++;
              return Promise.resolve([{ kind: "start", id: "1", model: "m" }, {
                kind: "usage",
                usage,
              }]);
            }
            const piece = shown[next++ - 1];
            if (piece === undefined) return new Promise(() => {});
            const [part, text] = piece;
            if (part !== "arguments") {
              return Promise.resolve([{ kind: part === "said" ? "text" : "thinking", text }]);
            }
            const begin = isCalled ? [] : [{ kind: "tool", index: 0, id: "c", name: "f" } as const];
            isCalled = true;
            return Promise.resolve([...begin, { kind: "arguments", index: 0, fragment: text }]);
          },
          cancel() {},
        });
        const report = await readUntil(() => next > shown.length + 1, answer);
        assertFair(
          cost(booked(exchange, target, report), target),
          cost({ input, output }, target),
          `seed ${seed}, event ${cut}`,
        );
        cuts++;
      }
    }
    assert(cuts > 80, `${cuts} cuts`);
  });
}

/** Reads until then, and leaves: a writer may hold an event back, so what was read counts. */
async function readUntil(isRead: () => boolean, { body, own }: Answer): Promise<RelayReport> {
  assert(own !== null && !isWhole(body));
  void body.read().then(function more(bytes): unknown {
    return bytes === null ? null : body.read().then(more);
  });
  await until("all is read", isRead);
  return { end: "cancelled", bytes: 0, tokens: own.tokens(), seen: own.seen() };
}

Deno.test("the opening event's count is never what is booked", () => {
  const opening = { ...NO_TOKENS, input: 500, output: 1 };
  const ended = {
    ...{ api: "messages" as const, target: targetOf("anthropic/m"), named: opening },
    ...{ seen: { tokens: 4000, thoughtTokens: 0 }, promptTokens: () => 0 },
  };
  for (const whole of [true, false]) {
    const { input, output } = bookedTokens({ ...ended, isWhole: whole }, createCalibration());
    assertEquals([input, output], [500, 4000]);
  }
});

Deno.test("a model's own counts teach: another tokenizer, and what it thinks in secret", () => {
  const target = targetOf("openai/m");
  const calibration = createCalibration();
  const whole = (output: number, reasoning: number, seen: number) =>
    bookedTokens({
      ...{
        api: "chat",
        target,
        isWhole: true,
        named: { ...NO_TOKENS, input: 9, output, reasoning },
      },
      ...{ seen: { tokens: seen, thoughtTokens: 0 }, promptTokens: () => 0 },
    }, calibration);
  const cut = (seen: number): number =>
    bookedTokens({
      ...{ api: "chat", target, isWhole: false, named: null, promptTokens: () => 9 },
      seen: seen === 0 ? NO_SEEN : { tokens: seen, thoughtTokens: 0 },
    }, calibration).output;
  assertEquals(cut(1000), 1000);
  for (let answer = 0; answer < 5; answer++) whole(1000 * 1.3 + 2000, 2000, 1000);
  assertEquals(cut(1000), 3300);
  assertEquals(cut(0), 0);
  whole(3, 0, 1); // too short to say anything
  assertEquals(cut(1000), 3300);
});

Deno.test("what is cached has its own prices, by the provider's rule where none is written", () => {
  const config = parseConfig({
    providers: { openai: { kind: "openai" }, anthropic: { kind: "anthropic" } },
    prices: {
      "anthropic/m": { input: 10, output: 50 },
      "anthropic/own": { input: 10, output: 50, cacheRead: 2, cacheWrite: 12 },
      "anthropic/hour": { input: 10, output: 50, cacheWrite: 12, cacheWriteHour: 21 },
      "openai/m": { input: 10, output: 50 },
    },
  });
  assert("providers" in config);
  const tokens = {
    input: 1e6,
    output: 0,
    cacheRead: 4e5,
    cacheWrite: 3e5,
    cacheWriteHour: 1e5,
    reasoning: 0,
  };
  const at = (name: string): number => costOf(tokens, targetOf(name), config) ?? NaN;
  const rounded = ["anthropic/m", "anthropic/own", "anthropic/hour", "openai/m"].map((name) =>
    Math.round(at(name) * 1000) / 1000
  );
  assertEquals(
    rounded,
    [
      3 + 0.4 * 1 + 0.2 * 12.5 + 0.1 * 20,
      3 + 0.4 * 2 + 0.2 * 12 + 0.1 * 19.2,
      3 + 0.4 * 1 + 0.2 * 12 + 0.1 * 21,
      10,
    ].map((dollars) => Math.round(dollars * 1000) / 1000),
  );
});
