// SPDX-License-Identifier: GPL-2.0-or-later
/** Every file that dom0 keeps has a version, and marks inside files say the same. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { anchorText, readAnchors } from "../../../dom0/record/anchor.ts";
import { dom0Paths } from "../../../dom0/settings/paths.ts";
import { stateFormats } from "../../../dom0/settings/state_formats.ts";
import { parseUndoRecord } from "../../../dom0/undo/undo_record.ts";
import { createUndoStore } from "../../../dom0/undo/undo_store.ts";
import { ConfigError } from "../../../shared/cli/program.ts";
import { auditPaths, namesIn, NOW_MS, withFolder } from "../fixture.ts";

/** What is gone after a boot, and what others write. */
const NOT_KEPT = ["/run/", "/var/lib/qubes/"];
/** The folder of it all, and the file with the versions. */
const ABOUT_IT = ["/var/lib/qvm-remote", "/var/lib/qvm-remote/formats"];

Deno.test("every path of dom0 that outlives a boot is in a format of the table", () => {
  const paths = dom0Paths("");
  const formats = stateFormats(paths);
  assertEquals(new Set(formats.map(({ name }) => name)).size, formats.length);
  const covered = formats.flatMap((format) => format.paths);
  const kept = Object.values(paths).filter((path) => typeof path === "string")
    .filter((path) => !NOT_KEPT.some((start) => path.startsWith(start)))
    .filter((path) => !ABOUT_IT.includes(path));
  assert(kept.length >= 9, `only ${kept.length} paths`);
  const forgotten = kept.filter((path) =>
    !covered.some((known) => path === known || path.startsWith(`${known}/`))
  );
  assertEquals(forgotten, [], "its form may change, and no older program would notice");
});

Deno.test("an anchor of a later form is refused, and not taken for a missing one", () =>
  withFolder((folder) => {
    const paths = auditPaths(folder);
    Deno.mkdirSync(`${folder}/lib`);
    const text = anchorText({ dropped: 0, seq: 7, hash: "0".repeat(64) });
    Deno.writeTextFileSync(paths.anchorFile, text.replace("anchor 1", "anchor 2"));
    const error = assertThrows(() => readAnchors(paths), ConfigError);
    assert(error.message.startsWith(`${paths.anchorFile} is in version 2`), error.message);
  }));

Deno.test("a record of a later form is refused, and not thrown away as no record", () =>
  withFolder(async (folder) => {
    const name = "work-20261122-091500-1-00000001.json";
    Deno.writeTextFileSync(`${folder}/${name}`, '{"version":2}\n');
    const store = createUndoStore({ folder, dateMs: () => NOW_MS });
    for (const look of [store.list, store.forgetOld]) {
      const said = await look().then(() => null, (error) => error);
      assert(said instanceof ConfigError, String(said));
      assert(said.message.startsWith(`${folder}/${name} is in version 2`), said.message);
    }
    assertEquals(namesIn(folder), [name]);
    assertEquals(parseUndoRecord('{"version":0}', name), null);
  }));
