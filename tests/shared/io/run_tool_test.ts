// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertRejects } from "@std/assert";
import { AbsentProgram, LateProgram, runTool } from "../../../shared/io/run_tool.ts";

Deno.test("runTool(): the code and both texts, of words that no shell sees", async () => {
  const script = 'printf %s "$1"; echo told >&2; exit 3';
  assertEquals(await runTool(["sh", "-c", script, "sh", "a b; $(id) *"]), {
    code: 3,
    stdout: "a b; $(id) *",
    stderr: "told\n",
  });
});

Deno.test("runTool(): what stdin gets; without it there is nothing to read", async () => {
  const long = "line\n".repeat(100_000);
  assertEquals((await runTool(["cat"], { input: long })).stdout, long);
  assertEquals((await runTool(["cat"])).stdout, "");
  assertEquals((await runTool(["true"], { input: long })).code, 0);
});

Deno.test("runTool(): what is not to be heard is not read", async () => {
  const ended = await runTool(["sh", "-c", "echo a; echo b >&2; exit 4"], { isHeard: false });
  assertEquals(ended, { code: 4, stdout: "", stderr: "" });
});

Deno.test("runTool(): a program that is not there, and one that does not end, are errors", async () => {
  await assertRejects(
    () => runTool(["/nonexistent/qvm-ls"]),
    AbsentProgram,
    "there is no /nonexistent/qvm-ls here",
  );
  await assertRejects(
    () => runTool(["sleep", "600"], { limitMs: 10 }),
    LateProgram,
    "sleep did not end in 0.01 seconds",
  );
});

Deno.test({
  name: "runTool(): what a program started may hold its output, and is not waited for",
  fn: () =>
    assertRejects(() => runTool(["sh", "-c", "sleep 1 &"], { limitMs: 10 }), LateProgram)
      .then(() => {}),
  sanitizeOps: false,
  sanitizeResources: false,
});
