// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ArgumentError, parseArguments } from "../../../vm/mcp/arguments.ts";
import type { Said } from "../../../vm/mcp/said.ts";
import type { Desk, Tool } from "../../../vm/mcp/tool.ts";
import { TOOLS } from "../../../vm/mcp/tools/table.ts";
import { createPrng } from "../../fuzz/prng.ts";

const ROUNDS = 400;
const ODD: readonly unknown[] = [
  ...["", "work", "dom0", "..", "../../etc/passwd", "/proc/self/environ", "a\nb", "a\0b", "-f"],
  ...[
    "--",
    "@default",
    "\u202e",
    "\ud800",
    "x".repeat(70_000),
    "start",
    "add",
    "property",
    "notes",
  ],
  ...["vm.start", "shell", "vm.run", "20260101-000000-1-00000000", "attach", "accept", "on"],
  ...[0, -1, 1.5, NaN, Infinity, 2 ** 60, true, false, null, undefined, [], {}, [[]], [{}]],
  ...[{ operation: "vm.start", vm: "work" }, { toString: 1 }, [{ operation: "vm.start" }]],
  JSON.parse("[".repeat(3000) + "]".repeat(3000)),
  JSON.parse('{"__proto__": {"vm": "work"}, "constructor": "x"}'),
];

/** Notes what reaches dom0, and does nothing. */
function deskThatNotes(calls: string[]): Desk {
  const note = (...what: unknown[]): Promise<Said> => {
    calls.push(JSON.stringify(what));
    return Promise.resolve({ status: "done" });
  };
  return {
    operation: (name, pairs) => {
      for (const [key, value] of pairs) {
        assertEquals([typeof key, typeof value], ["string", "string"]);
        assert(key !== "" && !value.includes("\0") && value.isWellFormed());
      }
      return note(name, pairs);
    },
    output: note,
    script: note,
    plan: note,
    checkPlan: note,
    access: () => Promise.resolve(new Map()),
    look: note,
    wait: note,
    cancel: note,
  };
}

Deno.test("whatever the arguments, a tool does what it is for or says what is wrong", async () => {
  const random = createPrng(15);
  const oddValue = (): unknown => ODD[random.below(ODD.length)]; // undefined is one, too

  const calls: string[] = [];
  let refused = 0;
  const call = async (tool: Tool): Promise<void> => {
    const names = [...Object.keys(tool.parameters).map((name) => name.replace("?", "")), "other"];
    const given = Object.fromEntries(
      names.filter(() => random.below(4) > 0).map((name) => [name, oddValue()]),
    );
    if (random.below(4) > 0) delete given["other"];
    const before = calls.length;
    try {
      await tool.call(parseArguments(tool.parameters, given), deskThatNotes(calls));
      assert(calls.length - before <= 1);
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      assert(error.message.length < 600, error.message);
      assertEquals(calls.length, before, "nothing was done before it was refused");
      refused++;
    }
  };
  for (const tool of TOOLS.values()) {
    for (let round = 0; round < ROUNDS; round++) await call(tool);
  }
  assert(refused > ROUNDS && calls.length > ROUNDS, `${refused} refused, ${calls.length} called`);
  assertThrows(() => parseArguments({}, []), ArgumentError);
  assertThrows(() => parseArguments({}, null), ArgumentError);
});
