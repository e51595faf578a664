// SPDX-License-Identifier: GPL-2.0-or-later
/** Programs that tests write: each can be started at once, whatever other tests start. @module */

import { assertEquals } from "@std/assert";
import { writeExecutable } from "./executable.ts";
import { assertNone, under } from "./source_files.ts";

Deno.test("a program is written byte for byte, over an older one, and can be started", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/it's a program`;
    for (const said of ["100 %s\\n", "second"]) {
      writeExecutable(path, `#!/bin/sh\nprintf '%s' '${said}'\n`);
      assertEquals(Deno.readTextFileSync(path), `#!/bin/sh\nprintf '%s' '${said}'\n`);
      const { stdout } = new Deno.Command(path).outputSync();
      assertEquals(new TextDecoder().decode(stdout), said);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("no test opens a program for writing in the process that all tests share", () => {
  const written = /\bwrite(?:Text)?File(?:Sync)?\([^;]*?mode: 0o7/;
  const broken = under("tests").filter(({ code }) => written.test(code)).map(({ path }) => path);
  assertNone(broken, 'writeExecutable() writes programs: else "Text file busy", now and then');
});
