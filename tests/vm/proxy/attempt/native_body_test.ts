// SPDX-License-Identifier: GPL-2.0-or-later
/** A model's name exchanged in a request's bytes: nothing else of them changes. @module */

import { assert, assertEquals } from "@std/assert";
import { createBodyBudget } from "../../../../vm/proxy/http/body_budget.ts";
import type { Target } from "../../../../vm/proxy/config/config.ts";
import { nativeBody, placeOfModel } from "../../../../vm/proxy/attempt/native_body.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";
import { NOTHING_MADE } from "../../../../vm/proxy/translate/provenance.ts";
import { readRequest } from "../../../../vm/proxy/http/read_request.ts";
import { resolveModel } from "../../../../vm/proxy/route/models.ts";
import { bodyOf } from "../body_of.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function target(provider: Record<string, unknown> = {}): Target {
  const config = parseConfig({ providers: { up: { kind: "openai", ...provider } } });
  assert(!("length" in config));
  const found = resolveModel("up/new", config)?.[0]?.[0];
  assert(found !== undefined);
  return found;
}

function changed(text: string, to: Target = target(), asksUsage = false): string {
  const { upload } = nativeBody({ body: bodyOf(text), asksUsage }, to, "chat", NOTHING_MADE);
  assert(!(upload instanceof ReadableStream));
  return typeof upload === "string" ? upload : new TextDecoder().decode(upload);
}

const KEPT = [
  '{"model":"old","n":1.0,"big":12345678901234567890,"é":"\\u00e9 \\"model\\":\\"old\\""}',
  ' {\n"messages" : [{"é€😀":"inner","content":"a\\\\"}], "model"\t:\r\n "old" }\n',
  '{"tools":[{"x":"\\"},{\\"model\\":"}],"model":"o\\"l\\\\d"}',
];

for (const text of KEPT) {
  Deno.test(`only the model changes in ${text}`, () => {
    const old = JSON.stringify(JSON.parse(text).model);
    const at = text.lastIndexOf(`"model"`);
    const from = text.indexOf(old, at + 7) >= 0 ? text.indexOf(old, at + 7) : text.indexOf(old);
    assert(placeOfModel(text) !== null);
    const want = text === KEPT[0]
      ? text.replace('"old"', '"new"')
      : text.slice(0, from) + '"new"' + text.slice(from + old.length);
    assertEquals(changed(text), want);
  });
}

Deno.test("where a tool has a model, too, the body is written anew, the same in meaning", () => {
  for (
    const text of [
      '{"messages":[{"model":"inner"}],"model":"old"}',
      '{"a":{"model":"x"},"b":["model","model"],"c":"model","model":"old"}',
      '{"a":"says \\"model","model":"old"}',
    ]
  ) {
    assertEquals(placeOfModel(text), null);
    assertEquals(JSON.parse(changed(text)), { ...JSON.parse(text), model: "new" });
  }
});

Deno.test("a byte order mark is refused: the text's places would not be the bytes'", async () => {
  const hold = createBodyBudget(1e6).open("anyone", true);
  const read = (text: string) =>
    readRequest(new Request("http://127.0.0.1/", { method: "POST", body: text }), hold);
  assert("status" in await read('\ufeff{"model":"old"}'));
  assert("model" in await read('{"model":"old"}'));
});

const AMBIGUOUS = [
  '{"model":"cheap","model":"old"}',
  '{"model":5,"model":"old"}',
  '{"model":null,"x":"y","model":"old"}',
  '{"model":{"a":"b"},"model":"old"}',
  '{"model":["model"],"model":"old"}',
  '{"mod\\u0065l":"cheap","model":"old"}',
  '{"model":"old","\\u006dodel":"old"}',
];

for (const text of AMBIGUOUS) {
  Deno.test(`a second model is never sent on: ${text}`, () => {
    assertEquals(placeOfModel(text), null);
    assertEquals(changed(text), '{"model":"new"' + (text.includes("y") ? ',"x":"y"}' : "}"));
  });
}

Deno.test("the bytes themselves where nothing changes; fields are dropped and renamed", () => {
  const same = bytes('{"model":"new"}');
  const sent = nativeBody(
    { body: bodyOf(same), asksUsage: false },
    ...[target(), "chat", NOTHING_MADE] as const,
  );
  assert(sent.upload === same);
  assertEquals(changed('{"model":"x","seed":1}', target({ drop: ["seed"] })), '{"model":"new"}');
  const ollama = target({ kind: "ollama" });
  assertEquals(
    changed('{"model":"x","max_completion_tokens":9}', ollama),
    '{"model":"new","max_tokens":9}',
  );
});

Deno.test("any JSON, seeded: the result reads as the same object with another model", () => {
  let state = 7;
  const below = (n: number): number => (state = (state * 48271) % 2147483647) % n;
  // No key that ends in a backslash: V8's JSON.parse() takes a later "\"" for it.
  const texts = ["", "model", '"', "\\\\x", '\\"', "é\u2028", "a:b", "{[", "]}", '{"model":"x"}'];
  const any = (depth: number): unknown => {
    switch (below(depth > 3 ? 4 : 6)) {
      case 0:
        return texts[below(texts.length)];
      case 1:
        return below(1000) / 8;
      case 2:
        return null;
      case 3:
        return "model";
      case 4:
        return Array.from({ length: below(4) }, () => any(depth + 1));
      default:
        return object(depth + 1);
    }
  };
  const object = (depth: number): Record<string, unknown> =>
    Object.fromEntries(
      Array.from({ length: below(5) }, () => [texts[below(texts.length)], any(depth)]),
    );
  for (let round = 0; round < 3000; round++) {
    const body = { ...object(1), model: texts[below(4)] ?? "x", ...object(1) };
    if (typeof body.model !== "string") continue;
    const text = JSON.stringify(body, null, below(3));
    assertEquals(JSON.parse(changed(text)), { ...body, model: "new" }, text);
  }
});

Deno.test("a stream that is counted is asked for its usage, behind the model or in its options", () => {
  const ask = (text: string, to = target()) => changed(text, to, true);
  assertEquals(
    ask('{"n":1.0,"model":"old","é":1}'),
    '{"n":1.0,"model":"new","stream_options":{"include_usage":true},"é":1}',
  );
  assertEquals(ask('{"model":"new"}'), '{"model":"new","stream_options":{"include_usage":true}}');
  const given = '{"model":"old","stream_options":{"x":1,"include_usage":false}}';
  assertEquals(JSON.parse(ask(given)).stream_options, { x: 1, include_usage: true });
  const wanted = '{"model":"new","stream_options":{"include_usage":true}}';
  assertEquals(ask(wanted), wanted);
  assertEquals(ask('{"model":"new"}', target({ drop: ["stream_options"] })), '{"model":"new"}');
});
