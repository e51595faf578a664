// SPDX-License-Identifier: GPL-2.0-or-later
// OpenAI's own SDK with chat completions, and its own loop of tools.
import OpenAI from "openai";

const { BASE_URL, API_KEY, MODEL, MARK } = process.env;
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 });
const runner = client.chat.completions.runTools({
  model: MODEL,
  stream: true,
  messages: [{ role: "user", content: "How is the weather?" }],
  tools: [{
    type: "function",
    function: {
      name: "weather",
      description: "Tells the weather.",
      parameters: { type: "object", properties: { city: { type: "string" } } },
      parse: JSON.parse,
      function: () => MARK,
    },
  }],
});
console.log(JSON.stringify({ text: await runner.finalContent() }));
