// SPDX-License-Identifier: GPL-2.0-or-later
/** Random conversations and answers, in the one spelling that both formats give back. @module */

import type { Prng } from "../../../fuzz/prng.ts";
import type { Completion, StopReason } from "../../../../vm/proxy/translate/completion.ts";
import type { AssistantPart } from "../../../../vm/proxy/translate/conversation.ts";

interface ChatMessage {
  readonly role: string;
  readonly [key: string]: unknown;
}

const WORDS = ["hello", "grüße", "🙂", 'a "quoted" \\ text', "line\nline", " ", "{}", "data: x"];

export const words = (prng: Prng): string =>
  "w" + Array.from({ length: prng.below(4) }, () => prng.pick(WORDS)).join("");

const image = (prng: Prng): unknown => ({
  type: "image_url",
  image_url: {
    url: prng.oneIn(2)
      ? `data:image/${prng.pick(["png", "jpeg", "webp", "gif"])};base64,${btoa(words42(prng))}`
      : `https://example.org/${prng.below(100)}.png`,
  },
});

const words42 = (prng: Prng): string => String.fromCharCode(...prng.bytes(prng.below(42)));

/** One text is a string; more, or images, are parts. */
function userContent(prng: Prng): unknown {
  if (prng.oneIn(2)) return words(prng);
  const parts = Array.from(
    { length: 1 + prng.below(3) },
    () => prng.oneIn(3) ? image(prng) : { type: "text", text: words(prng) },
  );
  return [...parts, image(prng)];
}

const argumentsText = (prng: Prng): string =>
  JSON.stringify(prng.oneIn(3) ? {} : { [words(prng)]: words(prng), n: prng.below(9) });

/** System, then user and assistant in turn, each call with its result behind it. */
export function chatMessages(prng: Prng): ChatMessage[] {
  const messages: ChatMessage[] = prng.oneIn(2) ? [{ role: "system", content: words(prng) }] : [];
  let ids = 0;
  messages.push({ role: "user", content: userContent(prng) });
  for (let n = prng.below(4); n > 0; n--) {
    const calls = Array.from({ length: prng.below(3) }, () => ({
      id: prng.pick(["call", "toolu_", "c-"]) + ++ids,
      type: "function",
      function: { name: prng.pick(["exec", "read"]), arguments: argumentsText(prng) },
    }));
    if (calls.length === 0) messages.push({ role: "assistant", content: words(prng) });
    else {
      const said = prng.oneIn(2) ? null : words(prng);
      messages.push({ role: "assistant", content: said, tool_calls: calls });
    }
    for (const { id } of calls) {
      messages.push({ role: "tool", tool_call_id: id, content: words(prng) });
    }
    // Behind results the user may say nothing; behind the assistant's words somebody must.
    if (calls.length === 0 || prng.oneIn(2)) {
      messages.push({ role: "user", content: userContent(prng) });
    }
  }
  return messages;
}

/** An answer as a stream of this format can tell it. */
export function randomCompletion(prng: Prng, format: "chat" | "messages"): Completion {
  const thinking: AssistantPart = {
    kind: "thinking",
    text: words(prng),
    signature: format === "chat" ? "" : "c2ln",
  };
  const calls = Array.from({ length: 1 + prng.below(3) }, (_, i): AssistantPart => ({
    kind: "tool_call",
    id: `call${i}`,
    name: prng.pick(["exec", "read"]),
    arguments: argumentsText(prng),
  }));
  const stops: StopReason[] = ["tool_use", "max_tokens", "refusal"];
  const input = 10 + prng.below(1000);
  return {
    id: "",
    model: "",
    parts: [
      ...(prng.oneIn(2) ? [thinking] : []),
      { kind: "text", text: words(prng) },
      ...calls,
    ],
    stop: prng.pick(stops),
    usage: {
      inputTokens: input,
      cachedTokens: prng.below(5),
      cacheWriteTokens: format === "chat" ? 0 : prng.below(5),
      outputTokens: prng.below(1000),
      reasoningTokens: 0,
    },
  };
}
