// SPDX-License-Identifier: GPL-2.0-or-later
/** Archives of the configuration, over a dom0 in a folder. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  listArchives,
  lookAtArchive,
  makeArchive,
  takeInArchive,
} from "../../../dom0/operator/config_archives.ts";
import { createKeyStore } from "../../../dom0/settings/key_store.ts";
import { dom0Paths, type Paths } from "../../../dom0/settings/paths.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { makeAuthKeyText } from "../../../shared/protocol/auth_key.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const WORK = parseVmName("work");
const RULES = "@monitor work * allow\n* work * ask\n";

async function inDom0(run: (paths: Paths, key: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "archives-" });
  try {
    const paths = dom0Paths(root);
    for (const folder of [paths.policyFolder, paths.libFolder, `${root}/var/log/qubes`]) {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    }
    await Deno.mkdir(paths.runFolder, { recursive: true });
    await Deno.writeTextFile(paths.config, 'QVM_REMOTE_VMS="work"\n');
    await Deno.writeTextFile(`${paths.policyFolder}/50-work.policy`, RULES);
    const key = makeAuthKeyText();
    await createKeyStore(paths.keyFolder).write(WORK, key, false);
    await run(paths, key);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const acting = (paths: Paths) => ({ paths, invokedBy: "web s-1" });

Deno.test("an archive has rules, settings and fingerprints; keys only when they are asked for", () =>
  inDom0(async (paths, key) => {
    const read = async (name: string): Promise<string> => {
      const file = `${paths.archivesFolder}/${name}`;
      assertEquals(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
      return await Deno.readTextFile(file);
    };
    const qubes = [{ name: "work", class: "AppVM" }];
    const without = await read(await makeArchive(acting(paths), false, qubes));
    const fingerprint = (await createKeyStore(paths.keyFolder).read(WORK))?.key.fingerprint ?? "";
    for (const part of [RULES.split("\n")[0], "QVM_REMOTE_VMS", fingerprint, "AppVM"]) {
      assert(without.includes(part ?? ""), part);
    }
    assert(!without.includes(key), "no key");
    const name = await makeArchive(acting(paths), true, null);
    assert((await read(name)).includes(key), "with it, where somebody wanted it");
    assertEquals((await listArchives(paths)).map(({ hasKeys }) => hasKeys), [true, false]);
    const record = await Deno.readTextFile(paths.auditFile);
    assert(record.includes("config-archived") && !record.includes(key));
  }));

Deno.test("what it would change is shown, then taken in, and what was there can come back", () =>
  inDom0(async (paths, key) => {
    const name = await makeArchive(acting(paths), true, null);
    const file = `${paths.policyFolder}/50-work.policy`;
    await Deno.writeTextFile(file, "* work * allow\n");
    await Deno.writeTextFile(`${paths.policyFolder}/40-new.policy`, "* new * deny\n");
    await createKeyStore(paths.keyFolder).remove(WORK);
    const look = await lookAtArchive(paths, name, true);
    assertEquals(look.items.map(({ what, name, before }) => [what, name, before]), [
      ["policy", "50-work.policy", "* work * allow\n"],
      ["key", "work", null],
    ]);
    assertEquals([look.same, look.stays], [1, ["40-new.policy"]]);
    assert(!JSON.stringify(look).includes(key), "no key is shown");
    assertEquals((await lookAtArchive(paths, name, false)).items.length, 1);

    const before = await takeInArchive(acting(paths), name, true, look.mark);
    assertEquals(await Deno.readTextFile(file), RULES);
    assertEquals(await createKeyStore(paths.keyFolder).readText(WORK), key);
    const back = await lookAtArchive(paths, before, true);
    assertEquals(back.items.map(({ name, after }) => [name, after]), [
      ["50-work.policy", "* work * allow\n"],
    ]);
  }));

Deno.test("nothing is taken in of an archive that is bad, read by others, or not what was looked at", () =>
  inDom0(async (paths) => {
    const name = await makeArchive(acting(paths), false, null);
    const archive = `${paths.archivesFolder}/${name}`;
    const good = await Deno.readTextFile(archive);
    const file = `${paths.policyFolder}/50-work.policy`;
    await Deno.writeTextFile(file, "* work * deny\n");
    const look = await lookAtArchive(paths, name, false);
    await Deno.writeTextFile(file, "shell work - deny\n");
    const refused = (problem: RegExp) =>
      assertRejects(() => takeInArchive(acting(paths), name, false, look.mark), UserError)
        .then(({ message }) => assertMatch(message, problem));
    await refused(/changed meanwhile/);
    for (
      const [text, problem] of [
        ["{}", /no archive/],
        ["nonsense", /no JSON/],
        [good.replace('"version": 1', '"version": 2'), /version 2/],
        [good.replace("50-work.policy", "../../passwd"), /not the name of a policy file/],
        [good.replace("QVM_REMOTE_VMS", "NO_SUCH_KEY"), /remote\.conf:1: unknown key/],
      ] as const
    ) {
      await Deno.writeTextFile(archive, text);
      await refused(problem);
    }
    await Deno.writeTextFile(archive, good.replace("* work * ask", "* work * maybe"));
    await assertRejects(() => takeInArchive(acting(paths), name, false, look.mark), Error, "maybe");
    await Deno.writeTextFile(archive, good);
    await Deno.chmod(archive, 0o644);
    await refused(/can be read by group or other/);
    await assertRejects(
      () => lookAtArchive(paths, "../50-work.policy", false),
      UserError,
      "not the name of an archive",
    );
    assertEquals(await Deno.readTextFile(file), "shell work - deny\n");
  }));
