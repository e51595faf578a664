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
const outputsOf = ({ output }) =>
  output.filter(({ type }) => type === "function_call").map(({ call_id }) => ({
    type: "function_call_output",
    call_id,
    output: MARK,
  }));
let response = await ask("How is the weather?");
for (let outputs; (outputs = outputsOf(response)).length > 0;) {
  response = await ask(outputs, response.id);
}
const again = await ask("And tomorrow?", response.id);
console.log(JSON.stringify({ text: response.output_text, again: again.output_text }));
