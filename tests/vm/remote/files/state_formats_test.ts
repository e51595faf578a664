// SPDX-License-Identifier: GPL-2.0-or-later
/** A client from before leaves ~/.qvm-remote alone once a newer one was there. @module */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { layoutOf, prepareFolders } from "../../../../vm/remote/files/layout.ts";
import { stateFormats } from "../../../../vm/remote/files/state_formats.ts";
import { filesBelow, withFolder } from "../../../dom0/fixture.ts";

/** Where everything is, and what only lives as long as a program. */
const ABOUT_IT = ["base", "legacyBase", "formats"];

Deno.test("every path below ~/.qvm-remote is in a format of the table", () => {
  const layout = layoutOf("/home/user");
  const covered = stateFormats(layout).flatMap(({ paths }) => paths);
  const forgotten = Object.entries(layout)
    .filter(([name]) => !ABOUT_IT.includes(name))
    .filter(([, path]) => !covered.some((known) => path === known || path.startsWith(`${known}/`)));
  assertEquals(forgotten, []);
});

const program = (name: string): string =>
  new URL(`../../../../vm/${name}.ts`, import.meta.url).pathname;

/** Each program that reads or writes there. */
const PROGRAMS: readonly (readonly string[])[] = [
  ["qvm-remote", "true"],
  ["qvm-remote", "key", "show"],
  ["qvm-remote", "history"],
  ["qvmremote.Queue", "key"],
  ["qvm-remote-mcp"],
];

Deno.test("a newer client was here: each program says so, with 78, and changes nothing", () =>
  withFolder(async (home) => {
    const layout = layoutOf(home);
    await prepareFolders(layout);
    const noted = Deno.readTextFileSync(layout.formats);
    Deno.writeTextFileSync(layout.formats, noted.replace(/^queue \d+$/m, "queue 99"));
    const before = filesBelow(layout.base);
    for (const [name = "", ...words] of PROGRAMS) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-check", "-A", program(name), ...words],
        env: { HOME: home, QREXEC_REMOTE_DOMAIN: "dom0" },
        stdin: "null",
      }).output();
      const said = new TextDecoder().decode(stderr);
      assertEquals([name, ...words, code], [name, ...words, 78], said);
      assertStringIncludes(said, `error: ${layout.queue} is in version 99, and this program`);
      assertStringIncludes(said, "hint: a newer program wrote it");
    }
    assertEquals(filesBelow(layout.base), before);
  }));
