// SPDX-License-Identifier: GPL-2.0-or-later
/** Programs that print a key: what is waited for, and what is taken of it. @module */

import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../../shared/cli/program.ts";
import { runForSecret } from "../../../../vm/proxy/config/secrets.ts";

const LONG_MS = 60_000;
const shell = (script: string): readonly string[] => ["/bin/sh", "-c", script];

Deno.test("a program that leaves another with its stdout: the key is what it printed", async () => {
  const folder = await Deno.makeTempDir();
  const gate = `${folder}/gate`;
  await new Deno.Command("mkfifo", { args: [gate] }).output();
  // The one that is left ends when the gate opens.
  const key = await runForSecret(shell(`cat ${gate} & echo key-1`), LONG_MS);
  const left = await Deno.open(gate, { write: true });
  left.close();
  assertEquals(key, "key-1\n");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a program that does not end is ended, whoever holds its stdout", async () => {
  const folder = await Deno.makeTempDir();
  const gate = `${folder}/gate`;
  await new Deno.Command("mkfifo", { args: [gate] }).output();
  const script = `echo key-1; cat ${gate} & read line <${gate}`;
  await assertRejects(() => runForSecret(shell(script), 50), UserError, "took longer than 0.05 s");
  const left = await Deno.open(gate, { write: true });
  left.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a failure, and more than a key, are errors without what was printed", async () => {
  const failed = await assertRejects(() => runForSecret(shell("echo key-1; exit 3"), LONG_MS));
  assertEquals((failed as UserError).message, "/bin/sh ended with code 3");
  const long = await assertRejects(() => runForSecret(shell("head -c 20000 /dev/zero"), LONG_MS));
  assertEquals((long as UserError).message, "/bin/sh printed more than a key");
});
