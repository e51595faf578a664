// SPDX-License-Identifier: GPL-2.0-or-later
/** remote.conf, changed over a dom0 in a folder. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  changeConfig,
  configChanges,
  readConfigText,
  undoConfigChange,
} from "../../../dom0/operator/config_file.ts";
import { markOf } from "../../../dom0/operator/policy_files.ts";
import { dom0Paths, type Paths } from "../../../dom0/settings/paths.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { withFolder } from "../fixture.ts";

const BEFORE = '# Mine.\nQVM_REMOTE_VMS="work"\n';
const AFTER = '# Mine.\nQVM_REMOTE_VMS="work"\nQVM_REMOTE_MAX_TIMEOUT="60"\n';

async function inDom0(run: (paths: Paths) => Promise<void>): Promise<void> {
  await withFolder(async (root) => {
    const paths = dom0Paths(root);
    for (const folder of [paths.keyFolder, paths.libFolder, `${root}/var/log/qubes`]) {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    }
    await Deno.mkdir(paths.runFolder, { recursive: true });
    await Deno.writeTextFile(paths.config, BEFORE);
    await run(paths);
  });
}

const acting = (paths: Paths) => ({ paths, invokedBy: "web s-1" });

Deno.test("remote.conf is saved, on record, and taken back", () =>
  inDom0(async (paths) => {
    await changeConfig(acting(paths), AFTER, markOf(BEFORE));
    assertEquals(await readConfigText(paths), AFTER);
    const [change] = await configChanges(paths).list();
    assertEquals([change?.by, change?.before, change?.after], ["web s-1", BEFORE, AFTER]);
    await undoConfigChange(acting(paths), change?.id ?? "");
    assertEquals(await readConfigText(paths), BEFORE);
    assertEquals((await configChanges(paths).list()).map(({ isUndone }) => isUndone), [
      false,
      true,
    ]);
    await assertRejects(
      () => undoConfigChange(acting(paths), change?.id ?? ""),
      UserError,
      "undone already",
    );
    assertMatch(await Deno.readTextFile(paths.auditFile), /config-saved[^]*config-saved.*undoes/);
  }));

Deno.test("remote.conf is not written with an error, over another change, or in vain", () =>
  inDom0(async (paths) => {
    const refused = async (text: string, seen: string, why: string): Promise<void> => {
      await assertRejects(() => changeConfig(acting(paths), text, seen), UserError, why);
      assertEquals(await readConfigText(paths), BEFORE);
      assertEquals(await configChanges(paths).list(), []);
    };
    await refused(
      'QVM_REMOTE_MAX_TIMEOUT="soon"\n',
      markOf(BEFORE),
      "line 1: QVM_REMOTE_MAX_TIMEOUT",
    );
    await refused("QVM_REMOTE_NO_SUCH=1\n", markOf(BEFORE), "line 1: unknown key");
    await refused(AFTER, markOf(AFTER), "changed meanwhile");
    await refused(BEFORE, markOf(BEFORE), "like that already");
  }));
