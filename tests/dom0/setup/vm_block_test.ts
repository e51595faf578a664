// SPDX-License-Identifier: GPL-2.0-or-later
/** The script that keeps a block in a VM's file, run by a real shell. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  BLOCK_BEGIN,
  BLOCK_END,
  type BlockAction,
  blockScript,
} from "../../../dom0/setup/vm_block.ts";

interface Place extends AsyncDisposable {
  readonly file: string;
  run(action: BlockAction, text?: string): Promise<number>;
  text(): string | undefined;
}

async function place(content?: string, mode = 0o755): Promise<Place> {
  const root = await Deno.makeTempDir();
  const file = `${root}/rw/it's config/rc.local`;
  if (content !== undefined) {
    await Deno.mkdir(`${root}/rw/it's config`, { recursive: true });
    await Deno.writeTextFile(file, content, { mode });
  }
  return {
    file,
    async run(action, text = `echo "it's on" >>"$QUBES_CLAW_ROOT/log"\n`) {
      const cleanup = `echo off >>"$QUBES_CLAW_ROOT/log"\n`;
      const script = blockScript(action, { path: "/rw/it's config/rc.local", text, cleanup });
      const child = new Deno.Command("sh", {
        args: ["-s"],
        env: { QUBES_CLAW_ROOT: root },
        stdin: "piped",
        stdout: "null",
        stderr: "inherit",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(script));
      await writer.close();
      return (await child.status).code;
    },
    text() {
      try {
        return Deno.readTextFileSync(file);
      } catch {
        return undefined;
      }
    },
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

Deno.test("a block goes in once, is replaced, and goes out without a trace", async () => {
  const mine = "#!/bin/sh\n# mine\n\necho '  spaces  \\n' $HOME\n";
  await using at = await place(mine);
  assertEquals(await at.run("look"), 41);
  assertEquals(await at.run("put"), 0);
  assertEquals(await at.run("look"), 0);
  assertEquals(await at.run("look", "echo other\n"), 42);
  const once = at.text();
  assertEquals(await at.run("put"), 0);
  assertEquals(at.text(), once);
  assertEquals(await at.run("put", "echo other\n"), 0);
  assertEquals(at.text(), `${mine}${BLOCK_BEGIN}\necho other\n${BLOCK_END}\n`);
  await Deno.writeTextFile(at.file, `${at.text()}echo later\n`);
  assertEquals(await at.run("take", "echo other\n"), 0);
  assertEquals(at.text(), `${mine}echo later\n`);
  assertEquals((await Deno.stat(at.file)).mode, 0o100755);
  assertEquals(await at.run("take"), 0);
});

Deno.test("a file that is not there is made, and gone again", async () => {
  await using at = await place();
  assertEquals(await at.run("look"), 41);
  assertEquals(await at.run("put"), 0);
  assertStringIncludes(at.text() ?? "", `#!/bin/sh\n${BLOCK_BEGIN}\n`);
  assertEquals(await at.run("take"), 0);
  assertEquals(at.text(), undefined);
});

Deno.test("a script that sleeps is not woken", async () => {
  await using at = await place("#!/bin/sh\nrm -rf everything\n", 0o644);
  assertEquals(await at.run("put"), 43);
  assertEquals(at.text(), "#!/bin/sh\nrm -rf everything\n");
});

Deno.test("a rule that fails is an error", async () => {
  await using at = await place("#!/bin/sh\n");
  assertEquals(await at.run("put", "false\necho not reached\n"), 1);
});
