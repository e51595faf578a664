// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { parseWhy } from "../../../shared/protocol/why.ts";
import { claimOf } from "../../../vm/mcp/desk.ts";

Deno.test("a claim is a reason that a request may hold, whatever a client calls itself", () => {
  assertEquals(
    claimOf({ name: "Claude Code", version: "2.1" }, "a build"),
    "says it is Claude Code 2.1: a build",
  );
  assertEquals(claimOf({}, ""), "says it is an MCP client");
  const hostile = ["\n", "\u2028", "\u202e", "\ud800", "x".repeat(1000), "\u{1f600}".repeat(300)];
  for (const name of hostile) {
    for (const why of hostile) {
      const claim = claimOf({ name, version: name }, why);
      assertEquals(parseWhy(claim), claim);
      assert(claim.startsWith("says it is "));
    }
  }
});
