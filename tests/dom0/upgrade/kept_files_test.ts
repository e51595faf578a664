// SPDX-License-Identifier: GPL-2.0-or-later
/** The old programs come back as they were, and what is a person's is left alone. @module */

import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import { keepFiles, keptFiles, putBackFiles } from "../../../dom0/upgrade/kept_files.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { modeOf, withFolder } from "../fixture.ts";

const PROGRAM = "/usr/bin/qvm-remote-dom0";
const SCRIPT = "/usr/lib/qubes-claw/qvm-remote-dom0.js";
const SERVICE = "/etc/qubes-rpc/openclaw.Notice";
const EDITED = "/etc/qubes/remote.conf";

Deno.test("keepFiles(), putBackFiles(): contents and modes; new files go, edited ones stay", () =>
  withFolder(async (folder) => {
    const root = `${folder}/dom0`;
    const put = (path: string, text: string, mode: number): void => {
      Deno.mkdirSync(`${root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.writeTextFileSync(root + path, text);
      Deno.chmodSync(root + path, mode);
    };
    put(PROGRAM, "old", 0o755);
    put(SCRIPT, "old", 0o644);
    put(SERVICE, "old", 0o755);
    put(EDITED, "mine", 0o600);
    const place = { root, folder: `${folder}/lib/old` };
    await assertRejects(() => keptFiles(place), UserError, "nothing whole is kept");
    const all = [PROGRAM, SCRIPT, SERVICE, EDITED, "/usr/share/not/there", "/usr/lib/qubes-claw"];
    await keepFiles(place, all);
    await keepFiles(place, all); // after it was cut off
    assertEquals(await keptFiles(place), [SERVICE, PROGRAM, SCRIPT]);

    put(PROGRAM, "new", 0o700);
    Deno.removeSync(root + SCRIPT);
    put("/usr/lib/qubes-claw/qvm-remote-dom0.bin", "new", 0o755);
    put(EDITED, "mine, later", 0o600);
    const now = [PROGRAM, "/usr/lib/qubes-claw/qvm-remote-dom0.bin", SERVICE, EDITED];
    await putBackFiles(place, now);
    const read = (path: string): string => Deno.readTextFileSync(root + path);
    assertEquals([PROGRAM, SCRIPT, SERVICE, EDITED].map(read), [
      "old",
      "old",
      "old",
      "mine, later",
    ]);
    assertEquals([PROGRAM, SCRIPT].map((path) => modeOf(root + path)), [0o755, 0o644]);
    assertEquals(isPresent(`${root}/usr/lib/qubes-claw/qvm-remote-dom0.bin`), false);
  }));

Deno.test("a list that names something else is not followed", () =>
  withFolder(async (folder) => {
    for (const path of ["/etc/passwd", "/usr/../etc/passwd", "/usr/bin/a b"]) {
      Deno.writeTextFileSync(`${folder}/list`, `${path}\n`);
      await assertRejects(() => keptFiles({ root: "", folder }), UserError, "is no program");
    }
  }));
