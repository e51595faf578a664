// SPDX-License-Identifier: GPL-2.0-or-later
// Anthropic's own SDK: a streamed tool loop that sends its whole history, thinking and all.
import Anthropic from "@anthropic-ai/sdk";

const { BASE_URL, API_KEY, MODEL, MARK } = process.env;
const client = new Anthropic({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "How is the weather?" }];
let text = "";
for (let calls = [null]; calls.length > 0;) {
  const { content } = await client.messages.stream({
    model: MODEL,
    max_tokens: 9000,
    messages,
    system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
    thinking: { type: "enabled", budget_tokens: 2000 },
    tools: [{
      name: "weather",
      description: "Tells the weather.",
      input_schema: { type: "object", properties: { city: { type: "string" } } },
    }],
  }).finalMessage();
  messages.push({ role: "assistant", content });
  text = content.filter(({ type }) => type === "text").map((block) => block.text).join("");
  calls = content.filter(({ type }) => type === "tool_use");
  const results = calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: MARK }));
  if (results.length > 0) messages.push({ role: "user", content: results });
}
console.log(JSON.stringify({ text, messages: messages.length }));
