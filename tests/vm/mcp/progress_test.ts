// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch } from "@std/assert";
import { startProgress } from "../../../vm/mcp/progress.ts";

Deno.test("a client that wants to hear of progress does, until the end", async () => {
  const messages: string[] = [];
  const twice = Promise.withResolvers<void>();
  const end = startProgress("t", "Run a command", ({ params }) => {
    assertEquals(params.progressToken, "t");
    if (messages.push(params.message) === 2) twice.resolve();
    return Promise.reject(new Error("nobody reads this"));
  }, 1);
  await twice.promise;
  end();
  assertMatch(messages[0] ?? "", /^Run a command: dom0 works on it, \d+ s so far$/);
  startProgress(undefined, "", () => Promise.reject(new Error("not wanted")), 1)();
});
