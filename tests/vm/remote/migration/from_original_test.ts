// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-remote migrate, in a home as the original's client leaves it. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { makeAuthKeyText, parseAuthKey } from "../../../../shared/protocol/auth_key.ts";
import { layoutOf } from "../../../../vm/remote/files/layout.ts";
import { type Entry, record } from "../../../../vm/remote/migration/fact.ts";
import { applySteps, takeBack } from "../../../../vm/remote/migration/apply.ts";
import { planMigration } from "../../../../vm/remote/migration/plan.ts";
import { surveyOriginal } from "../../../../vm/remote/migration/survey.ts";
import { installOriginalVm, type OriginalVm, treeOf } from "../../../original.ts";
import { type ClientResult, runClient } from "../fixture.ts";

const KEY = makeAuthKeyText();

interface Home {
  readonly home: string;
  /** Its folder as it was. */
  readonly before: ReadonlyMap<string, string>;
  tree(): ReadonlyMap<string, string>;
  migrate(...words: string[]): Promise<ClientResult>;
}

async function withHome(
  test: (home: Home) => Promise<void>,
  { key = KEY, folder = ".qvm-remote" }: Partial<OriginalVm> = {},
): Promise<void> {
  const home = await Deno.makeTempDir({ prefix: "vm-migrate-" });
  try {
    await installOriginalVm(home, { key, folder });
    const tree = () => treeOf(home);
    await test({
      home,
      tree,
      before: tree(),
      migrate: (...words) => runClient({ home }, ["migrate", ...words]),
    });
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

const underNewName = (tree: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...tree].map(([path, value]) => [path.replace(".qubes-remote", ".qvm-remote"), value]));

/** What a tree says, whatever the permissions. */
const texts = (tree: ReadonlyMap<string, string>): readonly (readonly [string, string])[] =>
  [...tree].filter(([path]) => !/\/$|\/migration\.json$/.test(path))
    .map(([path, value]) => [path, value.slice(value.indexOf(" "))] as const).sort();

for (const folder of [".qvm-remote", ".qubes-remote"] as const) {
  Deno.test(`migrate: ~/${folder}: first it only says, then it closes it, then all is back`, () =>
    withHome(async ({ home, before, tree, migrate }) => {
      const { fingerprint } = await parseAuthKey(KEY);
      const dry = await migrate();
      assertEquals([dry.code, dry.stderr], [0, ""]);
      assertStringIncludes(dry.stdout, fingerprint);
      assertStringIncludes(dry.stdout, "chmod 700 ~/.qvm-remote/queue/pending");
      assertStringIncludes(dry.stdout, '"qvm-remote migrate --apply" does these steps');
      assertEquals(dry.stdout.includes("rename the folder"), folder === ".qubes-remote");
      assertEquals(tree(), before);

      const done = await migrate("--apply");
      assertEquals(done.code, 0, done.stderr);
      const after = tree();
      assertEquals(after.get("/.qvm-remote/"), "700");
      assertEquals(after.get("/.qvm-remote/queue/running/"), "700");
      assertMatch(after.get("/.qvm-remote/audit.log") ?? "", /^600 /);
      assertEquals(texts(after), texts(underNewName(before)), "something was changed or deleted");
      assertStringIncludes((await migrate("--apply")).stdout, "There is nothing left to do.");
      const shown = await runClient({ home }, ["key", "fingerprint"]);
      assertEquals(shown.stdout, `${fingerprint}\n`);
      assertStringIncludes((await runClient({ home }, ["history"])).stdout, "hostname");

      const back = await migrate("--undo");
      assertEquals(back.code, 0, back.stderr);
      assertEquals(tree(), before);
      assertStringIncludes((await migrate("--undo")).stdout, "Nothing to take back");
    }, { folder }));
}

Deno.test("migrate: cut off at each step, it goes on, or back, from there", async () => {
  class Cut extends Error {}
  let steps = 0;
  let full: readonly Entry[] = [];
  await withHome(async ({ home }) => {
    const layout = layoutOf(home);
    const plan = planMigration(await surveyOriginal(layout));
    steps = plan.steps.length;
    await applySteps(layout, plan.steps, () => {});
    full = await record.read(`${layout.base}/migration.json`);
  }, { folder: ".qubes-remote" });
  assertEquals([steps, full.length], [8, 8]);
  for (let n = 0; n <= steps; n++) {
    for (const isOnRecord of [false, true]) {
      await withHome(async ({ home, before, tree, migrate }) => {
        const layout = layoutOf(home);
        let said = 0;
        const cut = () => {
          if (said++ === n) throw new Cut();
        };
        const plan = planMigration(await surveyOriginal(layout));
        await applySteps(layout, plan.steps, cut).catch((error) => assert(error instanceof Cut));
        if (isOnRecord) { // the next one is on record, and not begun
          const base = n === 0 ? layout.legacyBase : layout.base;
          await record.write(`${base}/migration.json`, full.slice(0, n + 1));
        }
        if (n % 2 === 0) {
          assertEquals((await migrate("--apply")).code, 0);
          assertEquals(tree().get("/.qvm-remote/"), "700");
          assertEquals(texts(tree()), texts(underNewName(before)));
        }
        said = n - 2; // and in the middle of the way back
        await takeBack(layout, cut).catch((error) => assert(error instanceof Cut));
        const back = await migrate("--undo");
        assertEquals([back.code, tree()], [0, before], `${n} ${isOnRecord}: ${back.stderr}`);
      }, { folder: ".qubes-remote" });
    }
  }
});

for (
  const [what, key, mode, words] of [
    ["others can read", KEY, 0o644, "can be read by group or other"],
    ["is none", "0x" + KEY.slice(2), 0o600, "holds no valid key"],
    ["is in capitals", KEY.toUpperCase().replace(/^./, "A"), 0o600, "holds no valid key"],
    ["is empty", "", 0o600, "holds no valid key"],
  ] as const
) {
  Deno.test(`migrate: a key that ${what} is named and left`, () =>
    withHome(async ({ home, migrate }) => {
      const path = `${home}/.qvm-remote/auth.key`;
      await Deno.chmod(path, mode);
      const { code, stdout } = await migrate("--apply");
      assertEquals(code, 0);
      assertStringIncludes(stdout, words);
      assertStringIncludes(stdout, "qvm-remote key gen --force");
      assertEquals(stdout.includes(KEY.slice(8, 24)), false, "a part of the key is shown");
      assertEquals([await Deno.readTextFile(path), (await Deno.stat(path)).mode], [
        key,
        0o100000 | mode,
      ]);
    }, { key }));
}

Deno.test("migrate: what is under way in the queue is named, and stays", () =>
  withHome(async ({ home, tree, migrate }) => {
    const queue = `${home}/.qvm-remote/queue`;
    const [waits, runs, done] = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map((end) =>
      `20260218-143022-1234-${end}`
    );
    await Deno.writeTextFile(`${queue}/pending/${waits}`, "hostname\n");
    await Deno.writeTextFile(`${queue}/pending/${waits}.auth`, "0".repeat(64));
    await Deno.writeTextFile(`${queue}/pending/${waits}.cmd`, "hostname\n");
    await Deno.writeTextFile(`${queue}/running/${runs}`, "sleep 60\n");
    await Deno.writeTextFile(`${queue}/results/${done}.exit`, "0");
    const before = tree();
    const { code, stdout } = await migrate("--apply");
    assertEquals(code, 0);
    assertMatch(stdout, new RegExp(`pending: "${waits}", \\d+ s old\n.*nobody has taken it`));
    assertMatch(stdout, new RegExp(`running: "${runs}", \\d+ s old\n.*nobody knows how it ended`));
    assertMatch(stdout, /answers that no client has fetched: 1/);
    assertMatch(stdout, /requests without an answer: 2/);
    assertEquals(texts(tree()), texts(before));
    const json = JSON.parse((await migrate("--json")).stdout);
    assertEquals(json.not_taken.length, 3); // and there is no queue service on this machine
  }));

Deno.test("migrate --undo: what somebody changed since is left; exit code 1", () =>
  withHome(async ({ home, migrate }) => {
    await migrate("--apply");
    await Deno.chmod(`${home}/.qvm-remote/audit.log`, 0o400);
    const { code, stdout } = await migrate("--undo");
    assertEquals(code, 1);
    assertStringIncludes(stdout, "NOT DONE: chmod 644 ~/.qvm-remote/audit.log: somebody else has");
    assertEquals((await Deno.stat(`${home}/.qvm-remote/audit.log`)).mode, 0o100400);
    assertEquals((await Deno.stat(`${home}/.qvm-remote`)).mode, 0o040755);
  }));

Deno.test("migrate --undo: not while dom0 is connected", () =>
  withHome(async ({ home, tree, migrate }) => {
    await migrate("--apply");
    const before = tree();
    using lock = await Deno.open(`${home}/.qvm-remote/queue/.lock`, { write: true, create: true });
    await lock.lock(true); // as the queue service
    const { code, stderr } = await migrate("--undo");
    assertEquals(code, 1);
    assertMatch(stderr, /error: dom0 is connected.*\n.*hint: run "qvm-remote-dom0 migrate --undo"/);
    assertEquals(texts(tree()).filter(([path]) => !path.endsWith(".lock")), texts(before));
    assertStringIncludes((await migrate()).stdout, "dom0 is connected to this VM");
  }));

Deno.test("migrate: both folders, none, something else in their place, words that do not fit", async () => {
  await withHome(async ({ home, migrate }) => {
    await Deno.mkdir(`${home}/.qubes-remote`);
    assertMatch((await migrate()).stdout, /~\/\.qubes-remote\n.*which is the one in use/);
    await Deno.remove(`${home}/.qvm-remote/queue`, { recursive: true });
    await Deno.writeTextFile(`${home}/.qvm-remote/queue`, "");
    const { code, stderr } = await migrate("--apply");
    assertEquals(code, 1);
    assertMatch(stderr, /\.qvm-remote\/queue is not a folder\n.*nothing was changed/);
    await Deno.remove(`${home}/.qvm-remote`, { recursive: true });
    await Deno.remove(`${home}/.qubes-remote`, { recursive: true });
    const none = await migrate("--apply");
    assertEquals(none.code, 0);
    assertEquals((await migrate()).stdout, "There is nothing of the Python original here.\n");
    for (const words of [["--apply", "--undo"], ["work"], ["--dry"]]) {
      assertEquals((await migrate(...words)).code, 2, words.join(" "));
    }
  });
});
