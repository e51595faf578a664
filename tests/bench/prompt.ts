// SPDX-License-Identifier: GPL-2.0-or-later
/** A request of the size of OpenClaw's: 60 KB, with 14 tools, most of it the system prompt. @module */

const WORDS = 'read the file before you change it and say what you did in "one" line\n';

export function agentRequest(): Readonly<Record<string, unknown>> {
  const tools = Array.from({ length: 14 }, (_, at) => ({
    type: "function",
    function: {
      name: `tool_${at}`,
      description: WORDS.repeat(5),
      parameters: {
        type: "object",
        properties: Object.fromEntries(
          Array.from({ length: 5 }, (_, field) => [`field_${field}`, {
            type: field % 2 === 0 ? "string" : "number",
            description: WORDS.trim(),
          }]),
        ),
        required: ["field_0"],
      },
    },
  }));
  const messages = [
    { role: "system", content: WORDS.repeat(630) },
    { role: "user", content: "List the files of this folder, then read the first." },
  ];
  return { messages, tools, tool_choice: "auto", max_completion_tokens: 4096 };
}
