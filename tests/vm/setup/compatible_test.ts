// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-vm for a server that speaks as OpenAI does: its address, its model, its key. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { resolveModel } from "../../../vm/proxy/route/models.ts";
import { parseConfig } from "../../../vm/proxy/config/parse_config.ts";
import { UsageError } from "../../../shared/cli/program.ts";
import { placesOf } from "../../../vm/setup/places.ts";
import { whatNext } from "../../../vm/setup/report.ts";
import { parseInvocation, type SetupRequest } from "../../../vm/setup/request.ts";
import { type Around, templatesFor, wantedFor } from "../../../vm/setup/wanted.ts";

const TEMPLATES = new URL("../../../vm/openclaw/", import.meta.url);
const MODEL = ["--model", "qwen3-32b"];

function request(...words: string[]): SetupRequest {
  const { action } = parseInvocation(["compatible", ...words]);
  assert(action.kind === "setup");
  return action.request;
}

function around(asked: SetupRequest): Around {
  const texts = templatesFor(asked).map((name) =>
    [name, Deno.readTextFileSync(new URL(name, TEMPLATES))] as const
  );
  return {
    ...{ kind: "standalone", packages: new Map(), flags: new Set(), npmOptions: "" },
    templates: new Map(texts),
  };
}

/** A file of ~/.openclaw as setup-vm would write it. */
function written(asked: SetupRequest, name: string): string {
  const wanted = wantedFor(asked, placesOf("", "/home/user", "user"), around(asked));
  const found = wanted.find(({ fact }) => fact.kind === "kept" && fact.path.endsWith(`/${name}`));
  assert(found?.text !== undefined, name);
  return found.text();
}

function next(asked: SetupRequest): string {
  const survey = { around: around(asked), problems: [], notes: [], prefix: "", hasRoot: true };
  const found = { ...survey, hasKey: false };
  return whatNext(asked, found).join("\n");
}

Deno.test("a server over https is asked with a key by reference, one in this VM without", () => {
  for (
    const [url, key] of [["https://models.example/v1/", true], [
      "http://127.0.0.1:8000/v1",
      false,
    ]] as const
  ) {
    const asked = request(url, ...MODEL, "--user-units");
    const config = parseConfig(JSON.parse(written(asked, "proxy.json")));
    assert("providers" in config, JSON.stringify(config));
    const [target] = resolveModel("auto", config)?.[0] ?? [];
    assertEquals([target?.provider.baseUrl, target?.model], [url.replace(/\/$/, ""), "qwen3-32b"]);
    assertEquals(
      target?.provider.apiKey,
      key ? { from: "env", name: "COMPATIBLE_API_KEY" } : null,
    );
    assertEquals(next(asked).includes("COMPATIBLE_API_KEY=KEY"), key, next(asked));
    assertStringIncludes(written(asked, "openclaw.json"), '"primary": "proxy/auto"');
  }
});

Deno.test("where no model is named, that is the first thing left to do", () => {
  const asked = request("http://127.0.0.1:8000/v1", "--user-units");
  const config = parseConfig(JSON.parse(written(asked, "proxy.json")));
  assert("providers" in config, JSON.stringify(config));
  assertEquals(resolveModel("auto", config)?.[0]?.[0]?.model, "default");
  assert(next(asked).startsWith('name a model in place of "default"'), next(asked));
  assertStringIncludes(next(asked), "curl http://127.0.0.1:8000/v1/models");
});

Deno.test("the agent of a key qube takes no address: the key qube has it", () => {
  assertEquals(request("--key-qube").server, null);
  assertStringIncludes(next(request("--key-qube")), "openclaw-ctl status");
});

const REFUSED: readonly (readonly [words: readonly string[], says: string, hint: string])[] = [
  [["compatible"], "takes the base URL", "setup-vm compatible https://HOST/v1 --model NAME"],
  [
    ["compatible", "https://models.example/v1/chat/completions"],
    "ends in the path of one endpoint, /chat/completions",
    "https://models.example/v1",
  ],
  [["compatible", "http://models.example/v1"], "would travel unencrypted", "write https://"],
  [["compatible", "https://user:key@models.example/v1"], "not a plain URL", "without a key in it"],
  [
    ["compatible", "https://models.example/v1", "--model", "a b"],
    '"a b" is not the name of a model',
    "curl https://models.example/v1/models",
  ],
  [["compatible", "https://models.example/v1", "--key-qube"], "no URL", "with --keys"],
  [["openai", "https://models.example/v1"], "unexpected word", "setup-vm compatible URL"],
  [["openai", "--model", "m"], "--model goes with compatible only", ""],
];

for (const [words, says, hint] of REFUSED) {
  Deno.test(`refused with the next step: setup-vm ${words.join(" ")}`, () => {
    const error = assertThrows(() => parseInvocation(words), UsageError, says);
    assertStringIncludes(error.hints.join("\n"), hint);
  });
}
