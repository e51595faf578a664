// SPDX-License-Identifier: GPL-2.0-or-later
// The ai SDK with its provider for OpenAI as it is by default: responses, referred to by their ids.
import { createOpenAI } from "@ai-sdk/openai";
import { jsonSchema, stepCountIs, streamText, tool } from "ai";

const { BASE_URL, API_KEY, MODEL, MARK } = process.env;
const openai = createOpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY });
const weather = tool({
  description: "Tells the weather.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
  execute: () => MARK,
});
const failures = [];
const result = streamText({
  model: openai(MODEL),
  prompt: "How is the weather?",
  maxRetries: 0,
  tools: { weather },
  stopWhen: stepCountIs(4),
  onError: ({ error }) => void failures.push(error),
});
const text = await result.text.catch(() => "");
for (const failure of failures) console.error(String(failure));
const steps = failures.length > 0 ? [] : await result.steps;
console.log(JSON.stringify({ text, steps: steps.length }));
