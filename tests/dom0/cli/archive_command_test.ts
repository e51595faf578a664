// SPDX-License-Identifier: GPL-2.0-or-later
/** archive: the configuration goes into a file and comes back, shown before it does. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { archive } from "../../../dom0/cli/commands/archive.ts";
import { createKeyStore } from "../../../dom0/settings/key_store.ts";
import { dom0Paths, type Paths } from "../../../dom0/settings/paths.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { makeAuthKeyText } from "../../../shared/protocol/auth_key.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { namesIn, withFolder } from "../fixture.ts";

const WORK = parseVmName("work");
const RULES = "@monitor work * allow\n* work * ask\n";

interface Scene {
  readonly paths: Paths;
  readonly key: string;
  readonly policy: string;
  /** @returns what it printed */
  run(words: string, answer?: string | null): Promise<string>;
}

async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (root) => {
    const paths = dom0Paths(root);
    for (const folder of [paths.policyFolder, paths.runFolder, `${root}/var/log/qubes`]) {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    }
    const policy = `${paths.policyFolder}/50-work.policy`;
    await Deno.writeTextFile(paths.config, 'QVM_REMOTE_VMS="work"\n');
    await Deno.writeTextFile(policy, RULES);
    const key = makeAuthKeyText();
    await createKeyStore(paths.keyFolder).write(WORK, key, false);
    await test({
      paths,
      key,
      policy,
      async run(words, answer = null) {
        let printed = "";
        const code = await archive({
          paths,
          invokedBy: "ann",
          needsRoot: false,
          environment: new Map(),
          isTerminal: true,
          print: (text) => void (printed += text),
          warn: (text) => void (printed += text),
          ask(question) {
            printed += question;
            return answer;
          },
          askSecret: () => Promise.reject(new Error("no secret is asked for")),
        }, words.split(" ").filter((word) => word !== ""));
        assertEquals(code, 0);
        return printed;
      },
    });
  });
}

const nameIn = (text: string): string => /config-[0-9-]+\.json/.exec(text)?.[0] ?? "";

Deno.test("archive save and list: without keys unless they are asked for", () =>
  withScene(async ({ run, paths, key }) => {
    assertMatch(await run("list"), /There is no archive/);
    const saved = await run("save");
    assertStringIncludes(saved, `Saved ${paths.archivesFolder}/config-`);
    const text = await Deno.readTextFile(`${paths.archivesFolder}/${nameIn(saved)}`);
    assertEquals(text.includes(key), false);
    const withKeys = JSON.parse(await run("save --keys --json"));
    assertEquals(withKeys.hasKeys, true);
    assertStringIncludes(await Deno.readTextFile(withKeys.path), key);
    assertMatch(await run("save --keys"), /Whoever reads it can send requests as the VMs/);
    const listed = JSON.parse(await run("list --json"));
    assertEquals(listed.filter(({ hasKeys }: { hasKeys: boolean }) => hasKeys).length, 2);
    assertMatch(await run("list"), /^20[-0-9T:]+Z {2}config-[-0-9]+\.json {2}\d+ KB, with/m);
  }));

Deno.test("archive show and take-in: what would change, the word yes, and the way back", () =>
  withScene(async ({ run, paths, policy, key }) => {
    const name = nameIn(await run("save --keys"));
    await Deno.writeTextFile(policy, "@monitor work * allow\n* work * deny\n");
    await Deno.writeTextFile(`${paths.policyFolder}/60-new.policy`, "* new * deny\n");
    await createKeyStore(paths.keyFolder).remove(WORK);
    const shown = await run(`show ${name}`);
    assertEquals(
      shown,
      '"50-work.policy":\n  - * work * deny\n  + * work * ask\n' +
        '1 would change, 1 the same already.\nNot in the archive, and stays: "60-new.policy".\n',
    );
    const both = await run(`show ${name} --keys`);
    assertMatch(both, /key of work \(not there now\):\n {2}\+ [0-9a-f-]+\n2 would change/);
    assertEquals(both.includes(key), false);
    for (const answer of ["", "y", null]) {
      await assertRejects(() => run(`take-in ${name}`, answer), UserError, "nothing is taken in");
    }
    assertStringIncludes(await Deno.readTextFile(policy), "deny");
    const taken = await run(`take-in ${name} --keys`, "yes");
    assertEquals(await Deno.readTextFile(policy), RULES);
    assertEquals(await createKeyStore(paths.keyFolder).readText(WORK), key);
    const back = /archive take-in (config-\S+) --keys\n/.exec(taken)?.[1] ?? "";
    await assertRejects(() => run(`take-in ${name} --yes`), UserError, "like that already");
    const json = JSON.parse(await run(`take-in ${back} --yes --json`));
    assertEquals(json.items.map((one: { name: string }) => one.name), ["50-work.policy"]);
    assertStringIncludes(await Deno.readTextFile(policy), "deny");
  }));

Deno.test("archive remove, and words that are none", () =>
  withScene(async ({ run, paths }) => {
    const name = nameIn(await run("save"));
    await assertRejects(() => run(`remove ${name}`, "no"), UserError, "nothing is removed");
    assertStringIncludes(await run(`remove ${name}`, "yes"), `Removed ${name}`);
    assertEquals(namesIn(paths.archivesFolder), []);
    assertStringIncludes(await Deno.readTextFile(paths.auditFile), "config-archive-removed");
    await assertRejects(() => run(`remove ${name} --yes`), UserError, "there is no archive");
    for (const bad of ["../../etc/passwd", "config-1.json", "/etc/shadow"]) {
      for (const action of ["show", "take-in", "remove"]) {
        const error = await assertRejects(() => run(`${action} ${bad}`, "yes"), UserError);
        assertMatch(error.message, /is not the name of an archive/);
        assertStringIncludes(error.hints.join(), "archive list");
      }
    }
    await assertRejects(() => run(""), UsageError, "archive requires: save | list");
    await assertRejects(() => run("sav"), UsageError, "unknown archive command");
    await assertRejects(() => run(`take-in ${name} --json`), UsageError, "add --yes");
  }));
