// SPDX-License-Identifier: GPL-2.0-or-later
/** Streams that are passed on: whole events, the bytes unchanged, what they cost. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { scrubErrors } from "../../../../vm/proxy/stream/scrub_bytes.ts";
import { SseError } from "../../../../vm/proxy/stream/sse.ts";
import { NO_TOKENS } from "../../../../vm/proxy/exchange.ts";
import { createStreamWatch, tokensIn } from "../../../../vm/proxy/stream/stream_watch.ts";
import { readRetryAfter } from "../../../../vm/proxy/attempt/upstream_failure.ts";
import { createToolText } from "../../../../vm/proxy/cursor/tool_text.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = new TextDecoder();

Deno.test("an event that does not end is not watched for ever", () => {
  const watch = createStreamWatch(true);
  const part = bytes("a".repeat(1 << 20));
  assertThrows(() => {
    for (let i = 0; i < 40; i++) watch.push(part);
  }, SseError);
  const ending = createStreamWatch(true);
  for (let i = 0; i < 40; i++) ending.push(i % 8 === 7 ? bytes("\n\n") : part);
  assertEquals(ending.bytes(), 35 * (1 << 20) + 10);
});

Deno.test("numbers that cannot be counts are not taken for some", () => {
  for (const count of ["1e999", "1.5", "99999999999999999999", "-4"]) {
    assertEquals(tokensIn(`{"prompt_tokens":${count},"completion_tokens":${count}}`, ""), null);
  }
});

Deno.test("only errors are looked through for secrets, and only those change", () => {
  const scrub = (text: string): string => text.replaceAll("sk-1", "[secret]");
  const clean = (text: string): string => new TextDecoder().decode(scrubErrors(bytes(text), scrub));
  assertEquals(clean('{"error":"key sk-1 für 🙂"}'), '{"error":"key [secret] für 🙂"}');
  assertEquals(clean('{"text":"sk-1"}'), '{"text":"sk-1"}');
  const same = bytes('{"error":"no"}');
  assertEquals(scrubErrors(same, scrub) === same, true);
});

Deno.test("cut anywhere, the bytes come out the same, and only whole events before the end", () => {
  for (const ends of ["\n", "\r\n"]) {
    const wire = bytes(['data: {"a":1}', "", "event: x", "data: ü", "", ": c", "", ""].join(ends));
    for (let size = 1; size <= wire.length; size++) {
      const watch = createStreamWatch(true);
      let out = "";
      for (let at = 0; at < wire.length; at += size) {
        const part = text.decode(watch.push(wire.slice(at, at + size)));
        assert(part === "" || part.endsWith(ends + ends), JSON.stringify(part));
        out += part;
      }
      assertEquals(out + text.decode(watch.rest()), text.decode(wire), `pieces of ${size}`);
    }
  }
});

Deno.test("an endless event is not held for ever; the ends of a long stream are kept", () => {
  const watch = createStreamWatch(true);
  const piece = new Uint8Array(300_000).fill(120);
  let out = 0;
  for (let i = 0; i < 4; i++) out += watch.push(piece.slice()).length;
  assertEquals(out, 1_200_000);
  const long = createStreamWatch(false);
  long.push(bytes("head" + "x".repeat(50_000)));
  for (const letter of "tail") long.push(bytes(letter));
  assert(long.head().startsWith("head") && long.tail().endsWith("tail"));
  assertEquals([long.head().length, long.tail().length, long.bytes()], [16384, 16384, 50_008]);
});

Deno.test("tokens as each API names them; a model that writes about tokens is not believed", () => {
  const zero = NO_TOKENS;
  assertEquals(tokensIn("", '"usage":{"prompt_tokens":7,"completion_tokens": 3}'), {
    ...{ ...zero, input: 7, output: 3 },
  });
  const start = '"usage":{"input_tokens":1,"cache_creation_input_tokens":2,' +
    '"cache_read_input_tokens":4,"output_tokens":1}';
  assertEquals(tokensIn(start, '"usage":{"output_tokens":9}'), {
    ...{ ...zero, input: 7, output: 9, cacheRead: 4, cacheWrite: 2 },
  });
  const hour = '"usage":{"input_tokens":1,"cache_creation_input_tokens":6,"cache_creation":' +
    '{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":4},"cache_read_input_tokens":0';
  assertEquals(tokensIn(hour, '"usage":{"output_tokens":9}'), {
    ...{ ...zero, input: 7, output: 9, cacheWrite: 6, cacheWriteHour: 4 },
  });
  // xAI and Gemini: what was thought is in the total only.
  const total = '"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":110,' +
    '"completion_tokens_details":{"reasoning_tokens":100}}';
  assertEquals(tokensIn("", total), { ...zero, input: 7, output: 103, reasoning: 100 });
  assertEquals(
    tokensIn("", '{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":8}'),
    { ...zero, input: 9, output: 1, cacheRead: 8 },
  );
  assertEquals(tokensIn("", '{"content":"\\"completion_tokens\\": 0"}'), null);
});

Deno.test("Retry-After in all its forms", () => {
  const read = (name: string, value: string) =>
    readRetryAfter(new Headers({ [name]: value }), 1000);
  assertEquals(read("retry-after", "2"), 2000);
  assertEquals(read("retry-after-ms", "250"), 250);
  assertEquals(read("retry-after", "Thu, 01 Jan 1970 00:00:03 GMT"), 2000);
  assertEquals(read("retry-after", "soon"), null);
  assertEquals(read("retry-after", "999999999"), 3_600_000);
});

Deno.test("tool calls in the text, cut anywhere; what is no call of a known tool stays text", () => {
  const call = (body: string) => `<openclaw_tool_call>${body}</openclaw_tool_call>`;
  const answer = `a < b ${call('{"name":"ls","arguments":{"x":1}}')}${call('{"name":"rm"}')}<open`;
  for (let size = 1; size <= answer.length; size++) {
    const tools = createToolText(new Set(["ls"]), () => "call1");
    const events = [];
    for (let at = 0; at < answer.length; at += size) {
      events.push(...tools.push(answer.slice(at, at + size)));
    }
    events.push(...tools.end());
    const said = events.map((event) => event.kind === "text" ? event.text : "").join("");
    assertEquals(said, `a < b ${call('{"name":"rm"}')}<open`);
    assertEquals(events.filter(({ kind }) => kind !== "text"), [
      { kind: "tool", index: 0, id: "call1", name: "ls" },
      { kind: "arguments", index: 0, fragment: '{"x":1}' },
      { kind: "tool_end", index: 0 },
    ]);
    assertEquals(tools.calls(), 1);
  }
});
