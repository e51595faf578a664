// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Money: whatever a stream says and at whichever event it is left, what is booked is within 15 %
 * of what it cost by a real tokenizer.
 */

import { assert, assertEquals } from "@std/assert";
import { type BookedTokens, bookedTokens } from "../../../../vm/proxy/books/booked_tokens.ts";
import { createCalibration } from "../../../../vm/proxy/books/calibration.ts";
import { formatOf } from "../../../../vm/proxy/attempt/client_format.ts";
import type { Target } from "../../../../vm/proxy/config/config.ts";
import { eventsAnswer } from "../../../../vm/proxy/attempt/events_answer.ts";
import type { Exchange, Seen, Tokens } from "../../../../vm/proxy/exchange.ts";
import { type ByteSource, isWhole } from "../../../../vm/proxy/bytes.ts";
import { relay, type RelayReport } from "../../../../vm/proxy/stream/relay.ts";
import { createSeenText } from "../../../../vm/proxy/stream/seen_text.ts";
import { createStreamWatch } from "../../../../vm/proxy/stream/stream_watch.ts";
import type { StreamEvent } from "../../../../vm/proxy/translate/completion.ts";
import { assertFair, exchangeOf, type Part, type Said, targetOf, turnOf } from "./turns.ts";

const ROUNDS = 12;

const data = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`;
const typed = (type: string, fields: Record<string, unknown>): string =>
  `event: ${type}\n${data({ type, ...fields })}`;

/** The stream of each API: its beginning, an event for each piece, its end with the usage. */
interface Wire {
  begin(input: number): string;
  piece(said: Said): string;
  end(output: number, input: number): string;
}

const FIELD: Readonly<Record<Part, string>> = {
  thought: "reasoning_content",
  said: "content",
  arguments: "",
};

const CHAT: Wire = {
  begin: () => data({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] }),
  piece({ part, text, isFirst }) {
    const call = {
      index: 0,
      ...isFirst && { id: "call_1" },
      function: { ...isFirst && { name: "write_file" }, arguments: text },
    };
    const delta = part === "arguments" ? { tool_calls: [call] } : { [FIELD[part]]: text };
    const choices = [{ index: 0, delta, finish_reason: null }];
    return data({ id: "chatcmpl-1", choices, usage: null });
  },
  end: (completion_tokens, prompt_tokens) =>
    data({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) +
    data({ choices: [], usage: { prompt_tokens, completion_tokens } }) + "data: [DONE]\n\n",
};

const MESSAGES: Wire = {
  begin: (input_tokens) =>
    typed("message_start", {
      message: { id: "msg_1", content: [], usage: { input_tokens, output_tokens: 1 } },
    }),
  piece({ part, text }) {
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
};

const DELTAS: Readonly<Record<Part, string>> = {
  thought: "response.reasoning_summary_text.delta",
  said: "response.output_text.delta",
  arguments: "response.function_call_arguments.delta",
};

const RESPONSES: Wire = {
  begin: () => typed("response.created", { response: { id: "resp_1", output: [] } }),
  piece: ({ part, text: delta }) =>
    typed(DELTAS[part], { item_id: "fc_1", output_index: 0, delta, sequence_number: 7 }),
  end: (output_tokens, input_tokens) =>
    typed("response.output_text.done", { text: "all of it again ".repeat(100) }) +
    typed("response.completed", {
      response: {
        output: [{ content: [{ text: "and again ".repeat(90) }] }],
        usage: { input_tokens, output_tokens },
      },
    }),
};

const WIRES = { chat: CHAT, messages: MESSAGES, responses: RESPONSES } as const;

interface Left {
  readonly isWhole: boolean;
  readonly tokens: Tokens | null;
  readonly seen: Seen;
}

function booked(exchange: Exchange, target: Target, { isWhole, tokens, seen }: Left): BookedTokens {
  const { api, body: { promptTokens } } = exchange;
  const ended = { api, target, isWhole, named: tokens, seen, promptTokens };
  return bookedTokens(ended, createCalibration());
}

/** Never ends: what was cut off never comes, and the client leaves. */
function sourceOf(events: readonly string[]): ByteSource {
  let at = 0;
  return {
    read() {
      const event = events[at++];
      if (event === undefined) return new Promise(() => {});
      return Promise.resolve(new TextEncoder().encode(event));
    },
    cancel() {},
  };
}

function ended(events: readonly string[]): ByteSource {
  const source = sourceOf(events);
  let at = 0;
  return { ...source, read: () => at++ < events.length ? source.read() : Promise.resolve(null) };
}

/** @param events that the client reads before it leaves; null: all */
async function relayed(
  exchange: Exchange,
  body: ByteSource,
  events: number | null,
): Promise<RelayReport> {
  const report = Promise.withResolvers<RelayReport>();
  const stream = relay(
    exchange,
    {
      answer: Promise.resolve({ contentType: "text/event-stream", body, own: null }),
      late: false,
    },
    { heartbeatMs: 60_000, idleMs: 60_000 },
    { dice: { nowMs: () => 0 }, secrets: { scrub: (text) => text }, endings: new Set() },
    report.resolve,
  );
  const reader = stream.getReader();
  for (let read = 0; events === null || read < events; read++) {
    const { done } = await reader.read();
    if (done) break;
  }
  await reader.cancel();
  return await report.promise;
}

for (const [api, wire] of Object.entries(WIRES) as [keyof typeof WIRES, Wire][]) {
  Deno.test(`a stream of ${api} that is left at any event is booked within 15 % of its cost`, async () => {
    const target = targetOf(api === "messages" ? "anthropic/m" : "openai/m");
    let cuts = 0;
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const { prompt, input, pieces } = turnOf(seed);
      const exchange = exchangeOf(api, prompt);
      const [watch, said] = [createStreamWatch(true), createSeenText(api)];
      const events: string[] = [];
      const see = (event: string): void => {
        events.push(event);
        said.push(watch.push(new TextEncoder().encode(event)));
      };
      see(wire.begin(input));
      for (const [cut, piece] of pieces.entries()) {
        see(wire.piece(piece));
        const seen = { tokens: said.tokens(), thoughtTokens: said.thoughtTokens() };
        const left = { isWhole: false, tokens: watch.tokens(), seen };
        const found = booked(exchange, target, left);
        assert(found.estimated);
        const truth = { input, output: piece.output };
        assertFair(found, truth, target, `seed ${seed}, event ${cut} of ${pieces.length}`);
        cuts++;
        if (cut % 20 !== seed) continue; // and so it is where the stream goes through the proxy
        const report = await relayed(exchange, sourceOf(events), events.length);
        assertEquals([report.end, report.tokens, report.seen], [
          "cancelled",
          left.tokens,
          left.seen,
        ]);
      }
      const all = ended([...events, wire.end(4321, input)]);
      const report = await relayed(exchange, all, null);
      const whole = { ...report, isWhole: report.end === "complete" };
      const { estimated, ...tokens } = booked(exchange, target, whole);
      assertEquals([report.end, tokens.input, tokens.output, estimated], [
        "complete",
        input,
        4321,
        false,
      ]);
    }
    assert(cuts > 1000, `${cuts} cuts`);
  });
}

/** Hands events out when it is told to. */
function createSteps() {
  let give: (events: readonly StreamEvent[]) => void = () => {};
  let asked = Promise.withResolvers<void>();
  const next = (): Promise<readonly StreamEvent[]> => {
    const given = new Promise<readonly StreamEvent[]>((resolve) => give = resolve);
    asked.resolve();
    return given;
  };
  return {
    source: { next, cancel() {} },
    /** Settles when they are written, and more are asked for. */
    async step(events: readonly StreamEvent[]): Promise<void> {
      await asked.promise;
      asked = Promise.withResolvers();
      give(events);
      await asked.promise;
    },
  };
}

function eventsOf({ part, text, isFirst }: Said): readonly StreamEvent[] {
  if (part !== "arguments") return [{ kind: part === "said" ? "text" : "thinking", text }];
  const call = { kind: "tool", index: 0, id: "c", name: "f" } as const;
  const piece = { kind: "arguments", index: 0, fragment: text } as const;
  return isFirst ? [call, piece] : [piece];
}

for (const api of ["chat", "messages", "responses", "ollama"] as const) {
  Deno.test(`a translated stream for ${api} that is left at any event is booked within 15 % of its cost`, async () => {
    const target = targetOf("anthropic/m");
    let cuts = 0;
    for (let seed = 101; seed <= 100 + ROUNDS; seed++) {
      const { prompt, input, pieces } = turnOf(seed);
      const exchange = exchangeOf(api, prompt);
      const format = formatOf(exchange);
      assert(format !== undefined);
      const { source, step } = createSteps();
      const opening = { cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 1, reasoningTokens: 0 };
      const begin: readonly StreamEvent[] = [
        { kind: "start", id: "1", model: "m" },
        { kind: "usage", usage: { inputTokens: input, ...opening } },
      ];
      const asked = { tools: [], includeUsage: false, maker: "x" };
      const answering = eventsAnswer(exchange, format, asked, source);
      await step(begin);
      const answer = answering.then(({ body, own }) => {
        assert(own !== null && !isWhole(body));
        void body.read().then(function more(bytes): unknown {
          return bytes === null ? null : body.read().then(more);
        });
        return own;
      });
      for (const [cut, piece] of pieces.entries()) {
        await step(eventsOf(piece));
        const own = await answer;
        const left = { isWhole: false, tokens: own.tokens(), seen: own.seen() };
        const truth = { input, output: piece.output };
        const where = `seed ${seed}, event ${cut} of ${pieces.length}`;
        assertFair(booked(exchange, target, left), truth, target, where);
        cuts++;
      }
    }
    assert(cuts > 1000, `${cuts} cuts`);
  });
}
