// SPDX-License-Identifier: GPL-2.0-or-later
// OpenAI's Agents SDK, streamed: one turn with a tool, then a second one that goes on from it.
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from "@openai/agents";

const { BASE_URL, API_KEY, MODEL, MARK, USE_RESPONSES } = process.env;
setTracingDisabled(true);
const modelProvider = new OpenAIProvider({
  baseURL: `${BASE_URL}/v1`,
  apiKey: API_KEY,
  useResponses: USE_RESPONSES === "yes",
});
const weather = tool({
  name: "weather",
  description: "Tells the weather.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
  strict: true,
  execute: () => MARK,
});
const agent = new Agent({ name: "A", instructions: "Be brief.", model: MODEL, tools: [weather] });
const runner = new Runner({ modelProvider });
const first = await runner.run(agent, "How is the weather?", { stream: true });
let pieces = 0;
for await (const event of first) if (event.type === "raw_model_stream_event") pieces++;
await first.completed;
const history = [...first.history, { role: "user", content: "And tomorrow?" }];
const second = await runner.run(agent, history, { stream: true });
await second.completed;
const { finalOutput: text } = first;
console.log(JSON.stringify({ text, again: second.finalOutput, pieces }));
