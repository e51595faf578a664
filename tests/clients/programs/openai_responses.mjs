// SPDX-License-Identifier: GPL-2.0-or-later
// OpenAI's own SDK with the responses API, which keeps nothing: the whole history is sent each time.
import OpenAI from "openai";

const { BASE_URL, API_KEY, MODEL, MARK } = process.env;
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 });
const tools = [{
  type: "function",
  name: "weather",
  strict: false,
  parameters: { type: "object", properties: { city: { type: "string" } } },
}];
const input = [{ role: "user", content: "How is the weather?" }];
let text = "";
for (let calls = [null]; calls.length > 0;) {
  const response = await client.responses.stream({
    model: MODEL,
    input,
    tools,
    store: false,
    include: ["reasoning.encrypted_content"],
    reasoning: { effort: "medium" },
  }).finalResponse();
  input.push(...response.output);
  text = response.output_text;
  calls = response.output.filter(({ type }) => type === "function_call");
  for (const { call_id } of calls) {
    input.push({ type: "function_call_output", call_id, output: MARK });
  }
}
console.log(JSON.stringify({ text, items: input.length }));
