// SPDX-License-Identifier: GPL-2.0-or-later
/** Where a result has what came out: a client shows its model one part of it, and which one differs. */

import { assertEquals } from "@std/assert";
import { type Said, toolResult } from "../../../vm/mcp/said.ts";

Deno.test("a result that is no error has its values in the structured part alone", () => {
  const said = { status: "done", id: "1", untrustedOutput: "hello\n", exitCode: 0 } as const;
  assertEquals(toolResult(said), {
    content: [{ type: "text", text: "done" }],
    structuredContent: said,
    isError: false,
  });
});

Deno.test("what goes on says so, or why it does not", () => {
  const said = { status: "running", id: "7" } as const;
  const textOf = (one: Said) => toolResult(one).content[0]?.text;
  assertEquals(textOf(said), "It goes on in dom0. Call job_wait with the id 7.");
  const waits = { ...said, reason: "dom0 has not taken it yet" };
  assertEquals(textOf(waits), "dom0 has not taken it yet. Call job_wait with the id 7.");
});

Deno.test("an error has all of it in the text: some clients show nothing else of one", () => {
  const said = {
    ...{ status: "failed", id: "1", exitCode: 3 } as const,
    ...{ reason: "it ended early", untrustedOutput: "begun\n", untrustedErrors: "oops" },
  };
  const { content: [block], ...rest } = toolResult(said);
  const { reason: _inHeadline, ...others } = said;
  assertEquals(rest, { isError: true });
  assertEquals(block?.text.split("\n"), [
    "failed with exit code 3: it ended early",
    JSON.stringify(others),
  ]);
});
