// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-remote-dom0 migrate, over the original as its Makefile leaves it. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Entry, record } from "../../../dom0/migration/fact.ts";
import { grantText } from "../../../dom0/policy/grant_file.ts";
import { treeOf } from "../../original.ts";
import { KEY, LAB, WORK } from "../fixture.ts";
import { putPrograms, type Scene, withOriginal } from "./scene.ts";

/** What this project writes by itself. */
const OWN_RECORDS = /^\/(var\/lib\/qvm-remote|run\/qvm-remote|var\/log\/qubes\/qvm-remote\.audit)/;

interface State {
  readonly files: ReadonlyMap<string, string>;
  readonly active: readonly string[];
  readonly enabled: readonly string[];
  readonly unitFile: string | undefined;
}

function stateOf({ root, systemd }: Scene): State {
  const files = new Map(
    [...treeOf(root, OWN_RECORDS)].map(([path, value]) => [
      path,
      path.startsWith("/var/log") ? value.slice(0, 3) : value, // this project's lines are added
    ]),
  );
  return {
    files,
    active: [...systemd.active].sort(),
    enabled: [...systemd.enabled].sort(),
    unitFile: systemd.fileOf("qvm-remote-dom0.service"),
  };
}

Deno.test("migrate: without --apply it says everything, and changes nothing", () =>
  withOriginal(async (scene) => {
    const before = stateOf(scene);
    const { code, said } = await scene.migrate();
    assertEquals(code, 0, said);
    const log = `${scene.root}/var/log/qubes/qvm-remote.log`;
    for (
      const text of [
        "/qvm-remote-dom0.service: runs, enabled",
        `key of work: ${KEY.fingerprint}`,
        "1. stop qubes-admin-watchdog.timer",
        "systemctl stop qubes-admin-watchdog.timer qubes-admin-watchdog.service",
        "systemctl disable qvm-remote-dom0.service",
        "take over the key of work: work reads, all else waits for an answer in dom0",
        "remote-admin-policy.json",
        "VMs by name: 1, blocked texts: 2",
        log,
        '"qvm-remote-dom0 migrate --apply" does these steps',
      ]
    ) assertStringIncludes(said, text);
    assertEquals([stateOf(scene), scene.systemd.calls], [before, []]);
    const json = JSON.parse((await scene.migrate("--json")).said);
    assertEquals([json.done, json.obstacles, json.vms], [false, [], ["lab", "work"]]);
    assertEquals(json.steps.length, 15);
  }));

Deno.test("migrate --apply: the original ends, keys stay, each VM is asked about", () =>
  withOriginal(async (scene) => {
    const { root, systemd, paths } = scene;
    const before = stateOf(scene);
    const { code, said } = await scene.migrate("--apply");
    assertEquals(code, 0, said);
    assertStringIncludes(said, "qvm-remote-dom0 authorize --fetch --grant full lab");
    assertEquals([[...systemd.active], [...systemd.enabled]], [[], []]);
    assertEquals(
      systemd.fileOf("qvm-remote-dom0.service"),
      "/usr/lib/systemd/system/qvm-remote-dom0.service",
    );
    const after = stateOf(scene).files;
    for (const vm of [WORK, LAB]) {
      const key = `/etc/qubes/remote.d/${vm}.key`;
      assertEquals(after.get(key), before.files.get(key));
      const grant = `${paths.policyFolder}/50-${vm}.policy`;
      assertEquals(await Deno.readTextFile(grant), grantText(vm, "ask", null));
    }
    assertEquals(after.get("/etc/qubes/remote.conf"), before.files.get("/etc/qubes/remote.conf"));
    const log = "/var/log/qubes/qvm-remote.log";
    assertEquals([before.files.get(log), after.get(log)], ["644", "600"]);
    const gone = [...before.files].filter(([path, text]) =>
      path !== log &&
      after.get(path) !== text && after.get(`${path}.before-migration`) !== text
    );
    assertEquals(gone, [], "a file of the original was deleted or changed");
    const audit = await Deno.readTextFile(paths.auditFile);
    assertMatch(audit, /"action":"migrate"/);
    assertMatch(audit, /"action":"authorize","vm":"work"/);

    const again = await scene.migrate("--apply");
    assertEquals(again.code, 0);
    assertStringIncludes(again.said, "There is nothing left to do.");
    assertEquals(stateOf(scene).files, after);
    assert(!said.includes(root + "/etc/qubes/remote.d/work.key is not"), said);
  }));

Deno.test("migrate --undo: units, files and rules are as before, and it can be done again", () =>
  withOriginal(async (scene) => {
    putPrograms(scene, "original"); // where the programs were not overwritten
    const before = stateOf(scene);
    putPrograms(scene, "own");
    for (const round of [1, 2]) {
      assertEquals((await scene.migrate("--apply")).code, 0, `round ${round}`);
      scene.systemd.active.add("qvm-remote-dom0.service"); // qvm-remote-dom0 enable
      scene.systemd.enabled.add("qvm-remote-dom0.service");
      putPrograms(scene, "original");
      const { code, said } = await scene.migrate("--undo");
      assertEquals(code, 0, said);
      assertStringIncludes(said, "All of it is as before the migration.");
      assertEquals(stateOf(scene), before, `round ${round}`);
      putPrograms(scene, "own");
    }
    const nothing = await scene.migrate("--undo");
    assertEquals([nothing.code, nothing.said.includes("Nothing to take back")], [0, true]);
  }));

Deno.test("migrate --undo: does not start this program by the original's unit", () =>
  withOriginal(async (scene) => {
    const before = stateOf(scene);
    await scene.migrate("--apply");
    const { code, said } = await scene.migrate("--undo");
    assertEquals(code, 1);
    assertMatch(
      said,
      /NOT DONE: start qvm-remote-dom0\.service: it would start \/.*not the original's any more/,
    );
    assertMatch(said, /NOT DONE: start qubes-admin-watchdog\.timer/);
    assertMatch(said, /6 changes are not taken back, and stay in .*\nKeep a copy of this program/);
    assertEquals([stateOf(scene).files, [...scene.systemd.active]], [before.files, []]);

    putPrograms(scene, "original");
    assertEquals((await scene.migrate("--undo")).code, 0);
    const { active, enabled } = stateOf(scene);
    assertEquals([active, enabled], [before.active, before.enabled]);
  }));

Deno.test("migrate --undo: leaves what a person changed since", () =>
  withOriginal(async (scene) => {
    const { root, paths } = scene;
    await scene.migrate("--apply");
    putPrograms(scene, "original");
    const grant = `${paths.policyFolder}/50-work.policy`;
    await Deno.writeTextFile(grant, grantText(WORK, "full", null));
    const unit = `${root}/etc/systemd/system/qvm-remote-dom0.service`;
    await Deno.writeTextFile(unit, "[Service]\nType=notify\nExecStart=/mine\n");
    const { code, said } = await scene.migrate("--undo");
    assertEquals(code, 1);
    assertMatch(said, /NOT DONE: take away the rules of work.*: somebody else has changed it/);
    assertMatch(said, /NOT DONE: put .*qvm-remote-dom0.service back: another file of that name/);
    assertMatch(said, /NOT DONE: enable qvm-remote-dom0.service: its file is not back/);
    assertEquals(await Deno.readTextFile(grant), grantText(WORK, "full", null));
    assertStringIncludes(await Deno.readTextFile(unit), "/mine");
  }));

/** What "kill -9" would leave at each moment: what is thrown here ends the command there. */
class Cut extends Error {}

/** Cuts it off at its nth moment. @returns how many there were, if it was not */
async function cutAt(scene: Scene, n: number, word: string): Promise<number | null> {
  let moments = 0;
  const moment = (): void => {
    if (++moments === n) throw new Cut();
  };
  scene.systemd.onChange = moment;
  scene.onPrint = moment;
  try {
    await scene.migrate(word);
    return moments;
  } catch (error) {
    if (error instanceof Cut) return null;
    throw error;
  } finally {
    scene.systemd.onChange = () => {};
    scene.onPrint = () => {};
  }
}

/** Runs the test at each moment of a command, all at once: they wait for the disk. */
async function atEachMoment(
  word: string,
  prepare: (scene: Scene) => Promise<unknown>,
  test: (scene: Scene, n: number) => Promise<void>,
): Promise<void> {
  let moments = 0;
  await withOriginal(async (scene) => {
    await prepare(scene);
    moments = await cutAt(scene, Infinity, word) ?? 0;
  });
  assert(moments > 25, `only ${moments} moments`);
  const numbers = Array.from({ length: moments }, (_, i) => i + 1);
  await Promise.all(numbers.map((n) =>
    withOriginal(async (scene) => {
      await prepare(scene);
      assertEquals(await cutAt(scene, n, word), null);
      await test(scene, n);
    })
  ));
}

const nothing = () => Promise.resolve();

Deno.test("migrate --apply: cut off at each moment, it goes on from there", async () => {
  let wanted: State | undefined;
  await withOriginal(async (scene) => {
    await scene.migrate("--apply");
    wanted = stateOf(scene);
  });
  await atEachMoment("--apply", nothing, async (scene, n) => {
    assertEquals((await scene.migrate("--apply")).code, 0);
    assertEquals(stateOf(scene), wanted, `cut at ${n}`);
  });
});

Deno.test("migrate --apply: cut off at each moment, --undo leads back from there", async () => {
  let before: State | undefined;
  let entries: readonly Entry[] = [];
  await withOriginal(async (scene) => {
    await scene.migrate("--apply");
    entries = await record.read(scene.paths.migrationFile);
  });
  await withOriginal(async (scene) => {
    putPrograms(scene, "original");
    await Promise.resolve(before = stateOf(scene));
  });
  const back = async (scene: Scene, what: string): Promise<void> => {
    putPrograms(scene, "original");
    const { code, said } = await scene.migrate("--undo");
    assertEquals([code, stateOf(scene)], [0, before], `${what}: ${said}`);
  };
  await atEachMoment("--apply", nothing, (scene, n) => back(scene, `cut at ${n}`));
  // The one moment between these: the next change is on record, and not begun.
  await atEachMoment("--apply", nothing, async (scene, n) => {
    const path = scene.paths.migrationFile;
    const done = (await record.read(path)).length;
    const next = entries.slice(0, done + 1).map(({ fact, ...values }) => ({
      fact: "path" in fact
        ? { ...fact, path: fact.path.replace(/^.*?(?=\/etc\/|\/usr\/|\/var\/)/, scene.root) }
        : fact,
      ...values,
    }));
    await Deno.mkdir(scene.paths.libFolder, { recursive: true });
    await record.write(path, next);
    await back(scene, `on record at ${n}`);
  });
});

Deno.test("migrate --undo: cut off at each moment, it goes on from there", async () => {
  let before: State | undefined;
  await withOriginal(async (scene) => {
    putPrograms(scene, "original");
    await Promise.resolve(before = stateOf(scene));
  });
  const prepare = async (scene: Scene): Promise<void> => {
    await scene.migrate("--apply");
    putPrograms(scene, "original");
  };
  await atEachMoment("--undo", prepare, async (scene, n) => {
    assertEquals((await scene.migrate("--undo")).code, 0);
    assertEquals(stateOf(scene), before, `cut at ${n}`);
  });
});
