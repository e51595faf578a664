// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A conversation goes on wherever it goes: for each client API and each pair of providers, A
 * answers, then B, then A, then B, with thinking, tools, an image and marks for the cache. The
 * clients' own SDKs send their history again; the doubles refuse what another provider made.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";
import type { ResponseInput } from "openai/resources/responses/responses";
import { openAiChat } from "./double_openai_chat.ts";
import type { Called, Said } from "./double_said.ts";
import {
  type FallbackWorld,
  KEY,
  type Provider,
  PROVIDERS,
  routeOf,
  startFallback,
} from "./fallback_world.ts";

const PICTURE = btoa("not really a picture, but long enough");
const PARAMETERS = { type: "object", properties: { city: { type: "string" } } } as const;

/** What the client makes of one answer, and what it asks next. */
interface Talk {
  /** Sends the history and keeps the answer in it. @returns text and the names of calls */
  ask(model: string): Promise<{ readonly text: string; readonly calls: readonly string[] }>;
  /** Answers the calls of the last answer. */
  answer(result: string): void;
  /** Words of the user. */
  say(content: string): void;
}

function chat({ proxy }: FallbackWorld): Talk {
  const client = new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: KEY, maxRetries: 0 });
  const image_url = { url: `data:image/png;base64,${PICTURE}` };
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "Look" }, { type: "image_url", image_url }] },
  ];
  let open: readonly OpenAI.ChatCompletionMessageToolCall[] = [];
  return {
    async ask(model) {
      const { choices: [choice] } = await client.chat.completions.stream({
        ...{ model, messages, max_completion_tokens: 9000, reasoning_effort: "medium" },
        ...{ prompt_cache_key: "k", parallel_tool_calls: true },
        tools: [{ type: "function", function: { name: "weather", parameters: PARAMETERS } }],
      }).finalChatCompletion();
      assert(choice !== undefined);
      const message = withoutParsed(choice.message);
      messages.push(message);
      open = message.tool_calls ?? [];
      const calls = open.map((call) => call.type === "function" ? call.function.name : call.type);
      return { text: message.content ?? "", calls };
    },
    answer(content) {
      for (const { id } of open) messages.push({ role: "tool", tool_call_id: id, content });
    },
    say: (content) => void messages.push({ role: "user", content }),
  };
}

/** The SDK puts what it parsed beside what was sent; programs that send it again take it out. */
function withoutParsed(message: OpenAI.ChatCompletionMessage): OpenAI.ChatCompletionMessage {
  const own = (key: string, value: unknown): unknown =>
    key === "parsed" || key === "parsed_arguments" ? undefined : value;
  return JSON.parse(JSON.stringify(message, own));
}

function responses({ proxy }: FallbackWorld): Talk {
  const client = new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: KEY, maxRetries: 0 });
  const image = {
    ...{ type: "input_image" as const, detail: "auto" as const },
    image_url: `data:image/png;base64,${PICTURE}`,
  };
  const input: ResponseInput = [
    { role: "user", content: [{ type: "input_text", text: "Look" }, image] },
  ];
  let open: readonly string[] = [];
  return {
    async ask(model) {
      const { output, output_text } = await client.responses.stream({
        ...{ model, input, instructions: "Be brief.", store: false, max_output_tokens: 9000 },
        ...{ include: ["reasoning.encrypted_content"], reasoning: { effort: "medium" } },
        ...{ prompt_cache_key: "k" },
        tools: [{ type: "function", name: "weather", strict: false, parameters: PARAMETERS }],
      }).finalResponse();
      input.push(...output as ResponseInput);
      const calls = output.filter((item) => item.type === "function_call");
      open = calls.map(({ call_id }) => call_id);
      return { text: output_text, calls: calls.map(({ name }) => name) };
    },
    answer(output) {
      for (const call_id of open) input.push({ type: "function_call_output", call_id, output });
    },
    say: (content) => void input.push({ role: "user", content }),
  };
}

function messages({ proxy }: FallbackWorld): Talk {
  const client = new Anthropic({ baseURL: proxy.url, apiKey: KEY, maxRetries: 0 });
  const cache_control = { type: "ephemeral" as const };
  const source = { type: "base64" as const, media_type: "image/png" as const, data: PICTURE };
  const history: Anthropic.MessageParam[] = [{
    role: "user",
    content: [{ type: "text", text: "Look", cache_control }, { type: "image", source }],
  }];
  let open: readonly string[] = [];
  return {
    async ask(model) {
      const { content } = await client.messages.stream({
        ...{ model, messages: history, max_tokens: 9000 },
        system: [{ type: "text", text: "Be brief.", cache_control }],
        thinking: { type: "enabled", budget_tokens: 2000 },
        tools: [{ name: "weather", input_schema: { ...PARAMETERS } }],
        metadata: { user_id: "user_abc_account__session_def" },
      }).finalMessage();
      history.push({ role: "assistant", content });
      const calls = content.filter((block) => block.type === "tool_use");
      open = calls.map(({ id }) => id);
      const texts = content.flatMap((block) => block.type === "text" ? [block.text] : []);
      return { text: texts.join(""), calls: calls.map(({ name }) => name) };
    },
    answer(content) {
      history.push({
        role: "user",
        content: open.map((tool_use_id) => ({ type: "tool_result", tool_use_id, content })),
      });
    },
    say: (content) => void history.push({ role: "user", content }),
  };
}

function ollama({ proxy }: FallbackWorld): Talk {
  const headers = { authorization: `Bearer ${KEY}` };
  const client = new Ollama({ host: proxy.url, headers });
  type Message = Parameters<typeof client.chat>[0]["messages"] extends (infer M)[] | undefined ? M
    : never;
  const image = btoa("\x89PNG\r\n not really a picture, but long enough");
  const history: Message[] = [{ role: "user", content: "Look", images: [image] }];
  let open: readonly string[] = [];
  return {
    async ask(model) {
      const message: Message = { role: "assistant", content: "" };
      const stream = await client.chat({
        ...{ model, messages: history, stream: true as const, think: "medium" as const },
        options: { num_predict: 9000 },
        tools: [{
          type: "function",
          function: { name: "weather", description: "d", parameters: PARAMETERS },
        }],
      });
      for await (const { message: piece } of stream) {
        message.content += piece.content;
        if (piece.thinking) message.thinking = (message.thinking ?? "") + piece.thinking;
        if (piece.tool_calls) message.tool_calls = piece.tool_calls;
      }
      history.push(message);
      open = (message.tool_calls ?? []).map((call) => call.function.name);
      return { text: message.content, calls: open };
    },
    answer(content) {
      for (const tool_name of open) history.push({ role: "tool", tool_name, content });
    },
    say: (content) => void history.push({ role: "user", content }),
  };
}

const APIS = { chat, responses, messages, ollama } as const;

const calls = (id: string): Said => {
  const call: Called = { id, name: "weather", arguments: { city: "Kraków" } };
  return { thinking: "I must look. ", texts: ["Let me look."], calls: [call] };
};
const SAID = { texts: ["It rains."], thinking: "Easy. " };

async function goesOn(world: FallbackWorld, talk: Talk, a: Provider, b: Provider): Promise<void> {
  const model = routeOf(a, b);
  // A tool loop that changes the provider at each step, then an answer of each.
  for (const [at, up] of [a, b, a, b].entries()) {
    world.answers(up, calls(`call_${at}`));
    assertEquals(await talk.ask(model), { text: "Let me look.", calls: ["weather"] });
    assertEquals(world.answered(), up, `turn ${at}`);
    talk.answer("rain");
  }
  for (const up of [a, b]) {
    world.answers(up, SAID);
    assertEquals(await talk.ask(model), { text: "It rains.", calls: [] });
    assertEquals(world.answered(), up);
    talk.say("And tomorrow?");
  }
}

for (const [api, begin] of Object.entries(APIS)) {
  Deno.test(`${api}: a tool loop goes from provider to provider and back, in each pair`, async (t) => {
    await using world = await startFallback();
    for (const a of PROVIDERS) {
      for (const b of PROVIDERS.filter((other) => other !== a)) {
        await t.step(`${a}, ${b}, ${a}, ${b}`, () => goesOn(world, begin(world), a, b));
      }
    }
    assert(!world.proxy.output().includes('"event":"bug"'), world.proxy.output());
  });
}

Deno.test("what another provider signed before a restart is refused once, and left out then", async () => {
  await using world = await startFallback();
  const ask = async (path: string, model: string, body: Record<string, unknown>) => {
    const answer = await fetch(`${world.proxy.url}/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model, ...body }),
    });
    return [answer.status, (await answer.text()).includes("It rains.")];
  };
  world.answers("ant", SAID);
  const thinking = { type: "thinking", thinking: "hm", signature: "c2lnbmVkIGVsc2V3aGVyZQ==" };
  assertEquals(
    await ask("messages", routeOf("ant", "bnt"), {
      max_tokens: 100,
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: [thinking, { type: "text", text: "b" }] },
        { role: "user", content: "c" },
      ],
    }),
    [200, true],
  );
  world.answers("res", SAID);
  const encrypted_content = "gAAAAABpEncryptedBySomebodyElse0123456789==";
  assertEquals(
    await ask("responses", routeOf("res", "ant"), {
      store: false,
      input: [
        { role: "user", content: "a" },
        { type: "reasoning", id: "rs_0f2", summary: [], encrypted_content },
        { type: "message", id: "msg_0f2", role: "assistant", content: "b" },
        { role: "user", content: "c" },
      ],
    }),
    [200, true],
  );
  assertEquals(world.upstream.seen.length, 4);
});

Deno.test("previous_response_id and item_reference hold where another provider answers", async () => {
  await using world = await startFallback();
  const client = new OpenAI({ baseURL: `${world.proxy.url}/v1`, apiKey: KEY, maxRetries: 0 });
  const model = routeOf("res", "ant");
  const ask = (input: ResponseInput, previous_response_id: string | null) =>
    client.responses.stream({ model, input, previous_response_id }).finalResponse();
  const user = (content: string) => [{ role: "user" as const, content }];
  world.answers("res", { texts: ["One."], thinking: "hm" });
  const first = await ask(user("first"), null);
  const seen = () => JSON.stringify(world.upstream.seen.at(-1)?.body);
  world.answers("ant", { texts: ["Two."] });
  const second = await ask(user("second"), first.id);
  for (const word of ["first", "One.", "second"]) assert(seen().includes(word), seen());
  // Back again: OpenAI does not know the second, which gets all that came before it.
  world.answers("res", { texts: ["Three."] });
  const third = await ask(user("third"), second.id);
  for (const word of ["first", "One.", "second", "Two."]) assert(seen().includes(word), seen());
  assert(!seen().includes("previous_response_id"));
  // Its own it does: only what is new.
  await ask(user("fourth"), third.id);
  assert(!seen().includes("Three.") && seen().includes(third.id), seen());
  const [item] = second.output;
  assert(item?.type === "message");
  await ask([{ type: "item_reference", id: item.id }, ...user("fifth")], null);
  assert(seen().includes("Two.") && !seen().includes("item_reference"), seen());
});

Deno.test('an answer with finish_reason "error" is a failure: the next provider is asked', async () => {
  await using world = await startFallback();
  const client = new OpenAI({ baseURL: `${world.proxy.url}/v1`, apiKey: KEY, maxRetries: 0 });
  const choice = {
    index: 0,
    message: { role: "assistant", content: "ha" },
    finish_reason: "error",
  };
  const failed = () => Response.json({ id: "c", object: "chat.completion", choices: [choice] });
  world.upstream.script = [failed, openAiChat({ texts: ["It rains."] })];
  const answer = await client.chat.completions.create({
    ...{ model: routeOf("gpt", "oll"), messages: [{ role: "user", content: "Hi" }] },
  });
  assertEquals([answer.choices[0]?.message.content, world.answered()], ["It rains.", "oll"]);
});
