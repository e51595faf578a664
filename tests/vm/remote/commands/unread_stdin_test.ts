// SPDX-License-Identifier: GPL-2.0-or-later
/** What is told of a stdin that a command does not get, and that it is left as it is. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { utf8 } from "../../../../shared/protocol/bytes.ts";
import { LOOKERS } from "../../../../vm/remote/commands/unread_stdin.ts";

async function bash(script: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", ...args],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return text.decode(stdout) + text.decode(stderr);
}

for (const [program, args] of LOOKERS) {
  const words = [program, ...args];

  Deno.test(`${program} says how much waits in a pipe or a file, and takes none of it`, async () => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "first\nsecond\n");
    try {
      const cases: readonly (readonly [script: string, said: RegExp])[] = [
        ['printf abc | { "$@" $$; cat; }', /^(0\n)?3\nabc$/],
        [`"$@" $$ < "${file}"`, /^13\n$/],
        [`{ read line; "$@" $$; cat; } < "${file}"`, /^7\nsecond\n$/],
        [`{ cat; "$@" $$; } < "${file}"`, /^first\nsecond\n0\n$/],
        [': | "$@" $$', /^0\n$/],
      ];
      for (const [script, said] of cases) assertMatch(await bash(script, words), said, script);
    } finally {
      await Deno.remove(file);
    }
  });

  Deno.test(`${program} goes on looking while a pipe is empty, and ends with it`, async () => {
    for (const late of ["late", ""]) {
      const child = new Deno.Command(program, {
        ...{ args: [...args, `${Deno.pid}`], stdin: "piped", stdout: "piped", stderr: "piped" },
      }).spawn();
      const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      assertEquals((await reader.read()).value, "0\n");
      const writer = child.stdin.getWriter();
      if (late !== "") await writer.write(utf8(late));
      else await writer.close();
      assertEquals((await reader.read()).value, late === "" ? undefined : "4\n");
      if (late !== "") await writer.close();
      assert((await reader.read()).done);
      const { stderr } = child;
      assertEquals(await new Response(stderr).text(), "");
      assertEquals((await child.status).code, 0);
    }
  });

  Deno.test(`${program} ends when whoever started it is gone`, async () => {
    // Its stdin never ends; bash reads its output to the end.
    const said = await bash(`exec 3<> <(:); "$@" $$ <&3 & exec true`, words);
    assert(said === "" || said === "0\n", said);
  });
}
