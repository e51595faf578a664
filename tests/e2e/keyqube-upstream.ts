// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Stands for a provider that only the key qube reaches: PORT, and the keys it knows, by
 * environment (KEYS), as a provider's are nobody's arguments. One that it does not know it quotes
 * in its error, as OpenAI does.
 *
 * @module
 */

const known = (Deno.env.get("KEYS") ?? "").split(",");

Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen() {} },
  async (request) => {
    const key = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    const { model, messages } = await request.json();
    if (!known.includes(key) || model === "refused") {
      const message = `Incorrect API key provided: ${key}`;
      return Response.json({ error: { message, type: "x", code: "invalid_api_key" } }, {
        status: 401,
      });
    }
    const said = messages.at(-1)?.content;
    return Response.json({
      ...{ id: "chatcmpl-1", object: "chat.completion", created: 1, model },
      choices: [{
        ...{ index: 0, finish_reason: "stop" },
        message: { role: "assistant", content: `you said ${said}` },
      }],
      usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
    });
  },
);
