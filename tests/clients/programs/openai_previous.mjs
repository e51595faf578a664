// SPDX-License-Identifier: GPL-2.0-or-later
// OpenAI's own SDK, which sends only what is new and refers to the rest by previous_response_id.
import OpenAI from "openai";

const { BASE_URL, API_KEY, MODEL, MARK } = process.env;
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 });
const tools = [{
  type: "function",
  name: "weather",
  strict: false,
  parameters: { type: "object", properties: { city: { type: "string" } } },
}];
const ask = (input, previous_response_id) =>
  client.responses.stream({ model: MODEL, input, tools, previous_response_id }).finalResponse();
const first = await ask("How is the weather?");
const outputs = first.output.filter(({ type }) => type === "function_call").map(({ call_id }) => ({
  type: "function_call_output",
  call_id,
  output: MARK,
}));
const second = await ask(outputs, first.id);
const third = await ask("And tomorrow?", second.id);
console.log(JSON.stringify({ text: second.output_text, again: third.output_text }));
