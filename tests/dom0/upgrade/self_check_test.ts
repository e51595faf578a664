// SPDX-License-Identifier: GPL-2.0-or-later
/** The installed program checks itself, and leaves nothing behind. @module */

import { assertEquals, assertRejects } from "@std/assert";
import { selfCheck } from "../../../dom0/upgrade/self_check.ts";
import { loopBack } from "../../../dom0/upgrade/loop_back.ts";
import { createDom0Session } from "../../../shared/protocol/dom0_session.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { KEY, NOW_MS, withFolder, WORK } from "../fixture.ts";

// Groups of processes are swept a moment later.
const LATER = { sanitizeOps: false, sanitizeResources: false };

Deno.test(
  "self-check: a request from its signature to its outcome, in a place that is gone then",
  LATER,
  () =>
    withFolder(async (folder) => {
      const root = `${folder}/check`;
      Deno.mkdirSync(`${root}/etc/qubes`, { recursive: true });
      Deno.writeTextFileSync(`${root}/etc/qubes/remote.conf`, "left over from one that was killed");
      await selfCheck(root);
      assertEquals(isPresent(root), false);
    }),
);

Deno.test(
  "self-check: a place that cannot be written to is said, and nothing is left",
  LATER,
  () =>
    withFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/file`, "");
      await assertRejects(() => selfCheck(`${folder}/file/check`));
      assertEquals([...Deno.readDirSync(folder)].length, 1);
    }),
);

Deno.test("loop-back: a daemon that ends the session without an outcome has not answered", async () => {
  const { call, answer } = loopBack(WORK, KEY, "true", NOW_MS);
  const read = call.output.pipeTo(new WritableStream());
  await call.input.send(createDom0Session(WORK).hello());
  call.kill();
  await assertRejects(() => answer, Error, "the session ended without an answer");
  assertEquals((await call.ended).code, 0);
  await read;
});
