// SPDX-License-Identifier: GPL-2.0-or-later
// LangChain with OpenAI's and with Anthropic's API: a streamed tool loop.
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";

const { BASE_URL, API_KEY, MODEL, MARK, API } = process.env;
const weather = tool(() => MARK, {
  name: "weather",
  description: "Tells the weather.",
  schema: z.object({ city: z.string().optional() }),
});
const openai = (useResponsesApi) =>
  new ChatOpenAI({
    model: MODEL,
    apiKey: API_KEY,
    maxRetries: 0,
    useResponsesApi,
    configuration: { baseURL: `${BASE_URL}/v1` },
  });
const anthropic = () =>
  new ChatAnthropic({ model: MODEL, apiKey: API_KEY, anthropicApiUrl: BASE_URL, maxRetries: 0 });
const models = { chat: () => openai(false), responses: () => openai(true), messages: anthropic };
const model = models[API]().bindTools([weather]);
const messages = [new HumanMessage("How is the weather?")];
let text = "";
for (let step = 0; step < 4; step++) {
  let whole;
  for await (const chunk of await model.stream(messages)) {
    whole = whole === undefined ? chunk : whole.concat(chunk);
  }
  messages.push(whole);
  text = whole.text;
  if (whole.tool_calls.length === 0) break;
  for (const { id, name } of whole.tool_calls) {
    messages.push(new ToolMessage({ content: MARK, tool_call_id: id, name }));
  }
}
console.log(JSON.stringify({ text, messages: messages.length }));
