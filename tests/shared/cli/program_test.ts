// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch } from "@std/assert";
import { ConfigError, runProgram, UsageError, UserError } from "../../../shared/cli/program.ts";

async function ended(main: () => Promise<number>): Promise<[code: number, said: string]> {
  let said = "";
  const code = await runProgram("prog", main, (text) => said += text);
  return [code, said];
}

const fails = (error: unknown) => ended(() => Promise.reject(error));

Deno.test("runProgram(): what went well has its own exit code and says nothing", async () => {
  assertEquals(await ended(() => Promise.resolve(3)), [3, ""]);
});

Deno.test("runProgram(): an error for a person says what to do, and has its exit code", async () => {
  assertEquals(await fails(new UserError("no key", ["run enroll"])), [
    1,
    "prog: error: no key\nprog: hint: run enroll\n",
  ]);
  assertEquals(await fails(new UsageError("unknown word")), [2, "prog: error: unknown word\n"]);
  assertEquals(await fails(new ConfigError("no such port")), [78, "prog: error: no such port\n"]);
});

Deno.test("runProgram(): a full disk is told as what it is", async () => {
  const [code, said] = await ended(async () => {
    await Deno.writeTextFile("/dev/full", "x"); // the kernel's own disk without room
    return 0;
  });
  assertEquals(code, 1);
  assertMatch(said, /^prog: error: "No space left on device .*"\nprog: hint: a disk is full, or/);
});

Deno.test("runProgram(): a reader that has gone ends it as SIGPIPE would", async () => {
  assertEquals(await fails(new Deno.errors.BrokenPipe("x")), [141, ""]);
});

Deno.test("runProgram(): anything else is a bug of ours, on one printable line", async () => {
  const [code, said] = await fails(new TypeError("x\u001b[31m"));
  assertEquals(code, 70);
  assertMatch(said, /^prog: bug: "TypeError: x\\u\{1b\}\[31m[ -~]*"\n$/);
});
