// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { encode } from "gpt-tokenizer";
import { OPERATIONS } from "../../../../dom0/operations/table.ts";
import type { Access, Decision, KnownOperation } from "../../../../vm/remote/client/access.ts";
import { describeTool, TOOLS, toolsFor } from "../../../../vm/mcp/tools/table.ts";

const MAX_TOKENS = 6_000;

function accessOf(decision: (name: string, level: string) => Decision): Access {
  const shell = { name: "shell", level: "full" };
  return new Map(
    [...OPERATIONS.values(), shell].map(({ name, level }): [string, KnownOperation] => [
      name,
      {
        name,
        level,
        summary: "",
        destructive: false,
        decision: decision(name, level),
        parameters: { properties: {}, required: [] },
      },
    ]),
  );
}

Deno.test("fewer than 20 tools, in fewer than 6,000 tokens", () => {
  const all = toolsFor(accessOf(() => "allow")).map(describeTool);
  const tokens = encode(JSON.stringify({ tools: all })).length;
  console.log(`tools/list: ${all.length} tools, ${tokens} tokens`);
  assert(all.length === TOOLS.size && all.length < 20, `${all.length}`);
  assert(tokens < MAX_TOKENS, `${tokens}`);
});

Deno.test("each operation that a tool names is one of dom0's", () => {
  const named = [...TOOLS.values()].flatMap(({ operations }) =>
    operations === "any" ? [] : operations
  );
  assert(named.length > 30);
  assertEquals(named.filter((name) => name !== "shell" && !OPERATIONS.has(name)), []);
});

Deno.test("only what this VM may do is shown", () => {
  const names = (access: Access | null) => toolsFor(access).map(({ name }) => name);
  const always = ["access_get", "job_get", "job_wait", "job_cancel"];
  assertEquals(names(null), always);
  assertEquals(names(accessOf(() => "deny")), always);
  const reads = names(accessOf((_, level) => level === "monitor" ? "allow" : "deny"));
  assert(reads.includes("vm_list") && !reads.includes("vm_set") && !reads.includes("run"));
  assert(names(accessOf((name) => name === "vm.start" ? "ask" : "deny")).includes("vm_power"));
});

Deno.test("every schema is plain, and every hint is said", () => {
  for (const tool of [...TOOLS.values()].map(describeTool)) {
    assertEquals(Object.values(tool.annotations).map((hint) => typeof hint), [
      "boolean",
      "boolean",
      "boolean",
      "boolean",
    ]);
    for (const schema of [tool.inputSchema, tool.outputSchema]) checkSchema(schema, tool.name);
    assert(!tool.annotations.readOnlyHint || !("why" in tool.inputSchema.properties), tool.name);
  }
});

/** No alternatives, and every object with its properties. */
function checkSchema(schema: unknown, name: string): void {
  if (typeof schema !== "object" || schema === null) return;
  for (const word of ["oneOf", "anyOf", "allOf", "$ref"]) assert(!(word in schema), name);
  if ("type" in schema && schema.type === "object") assert("properties" in schema, name);
  for (const part of Object.values(schema)) checkSchema(part, name);
}
