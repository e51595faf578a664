// SPDX-License-Identifier: GPL-2.0-or-later
/** What a migration does not take, and what stops it: named, with the next step, and nothing lost. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { takeInstanceLock } from "../../../dom0/daemon/instance_lock.ts";
import { treeOf } from "../../original.ts";
import { KEY_TEXT } from "../fixture.ts";
import { KEYS, putPrograms, type Scene, withOriginal } from "./scene.ts";

/** --apply must refuse in these words, and change nothing. */
async function refuses(scene: Scene, words: RegExp): Promise<void> {
  const files = treeOf(scene.root, /^\/var\/lib\/qvm-remote/);
  const dry = await scene.migrate();
  assertEquals(dry.code, 1, dry.said);
  assertStringIncludes(dry.said, "Before --apply");
  const { code, said } = await scene.migrate("--apply");
  assertEquals(code, 1, said);
  assertMatch(said, words);
  assertMatch(said, /hint: nothing was changed\n$/);
  assertEquals(scene.systemd.calls, []);
  assertEquals(treeOf(scene.root, /^\/var\/lib\/qvm-remote/), files);
}

/** --apply takes the rest, and says this. */
async function takesRest(scene: Scene, words: RegExp, vms: readonly string[]): Promise<void> {
  const { code, said } = await scene.migrate("--apply");
  assertEquals(code, 0, said);
  assertMatch(said, words);
  const names = Array.from(Deno.readDirSync(scene.paths.policyFolder), ({ name }) => name).sort();
  assertEquals(names, vms.map((vm) => `50-${vm}.policy`));
}

const key = ({ paths }: Scene, vm: string): string => `${paths.keyFolder}/${vm}.key`;

Deno.test("migrate: a key that others could read is named and left", () =>
  withOriginal(async (scene) => {
    await Deno.chmod(key(scene, "lab"), 0o640);
    const words =
      /lab\.key\n {4}.*can be read by group or other\. Give lab a new key: "qvm-remote key gen --force"/;
    await takesRest(scene, words, ["work"]);
    assertEquals((await Deno.stat(key(scene, "lab"))).mode ?? 0 & 0o777, 0o100640);
  }));

for (
  const [name, text] of [
    ["capitals", KEY_TEXT.toUpperCase()],
    ["a prefix", `0x${KEY_TEXT.slice(2)}`],
    ["too short", KEY_TEXT.slice(1)],
    ["too long", `${KEY_TEXT}${KEY_TEXT}`],
    ["empty", ""],
  ] as const
) {
  Deno.test(`migrate: a key that is none (${name}) is named and left, and not shown`, () =>
    withOriginal(async (scene) => {
      const words =
        /lab\.key\n {4}.*(64 lower-case hex digits|larger than 80 bytes)\. Give lab a new/;
      await takesRest(scene, words, ["work"]);
      const { said } = await scene.migrate();
      assertEquals(said.includes(KEY_TEXT.slice(8, 24)), false, "a part of a key is shown");
      assertEquals(await Deno.readTextFile(key(scene, "lab")), text);
    }, { keys: { work: KEYS.work, lab: text } }));
}

Deno.test("migrate: a key of a VM that was not served, and a VM without a key, are named", () =>
  withOriginal(async (scene) => {
    const words =
      /remote\.conf does not list lab[^]*lists\n {4}it has no key: "qvm-remote-dom0 authorize --fetch dev"/;
    await takesRest(scene, words, ["work"]);
  }, { keys: KEYS, config: 'QVM_REMOTE_VM="work dev"\n' }));

Deno.test("migrate: where no VM has a key, none is let in, and it says what the original did", () =>
  withOriginal(async (scene) => {
    await takesRest(
      scene,
      /The original runs anything for such a VM.*here nothing runs without/,
      [],
    );
  }, { keys: {}, config: "QUBES_REMOTE_VM=work\n" }));

Deno.test("migrate: a VM that has rules here already keeps them", () =>
  withOriginal(async (scene) => {
    const file = `${scene.paths.policyFolder}/20-mine.policy`;
    await Deno.writeTextFile(file, "* lab * allow\n");
    const { code, said } = await scene.migrate("--apply");
    assertEquals(code, 0);
    assertStringIncludes(said, "lab has rules here already; they stay as they are");
    const names = Array.from(Deno.readDirSync(scene.paths.policyFolder), ({ name }) => name).sort();
    assertEquals(names, ["20-mine.policy", "50-work.policy"]);
  }));

for (
  const [what, line, words] of [
    ["an unknown key", "QUBES_ADMIN_PORT=9876", /remote\.conf:2: unknown key "QUBES_ADMIN_PORT"/],
    ["a name that is none", "QVM_REMOTE_VM=work;lab", /remote\.conf:2: QVM_REMOTE_VM/],
    ["no assignment", "work and lab", /remote\.conf:2: /],
  ] as const
) {
  Deno.test(`migrate: ${what} in the configuration stops it`, () =>
    withOriginal(async (scene) => {
      await refuses(scene, words);
      const text = await Deno.readTextFile(scene.paths.config);
      await Deno.writeTextFile(scene.paths.config, text.replace(line, `#${line}`));
      await takesRest(scene, /Done: 15 steps/, ["lab", "work"]);
    }, { keys: KEYS, config: `QVM_REMOTE_VMS="work lab"\n${line}\n` }));
}

Deno.test("migrate: a policy that cannot be read stops it", () =>
  withOriginal(async (scene) => {
    await Deno.writeTextFile(`${scene.paths.policyFolder}/10-bad.policy`, "no rule\n");
    await refuses(scene, /error: policy: .*10-bad\.policy/);
  }));

Deno.test("migrate: half an original: only units, only keys, only a program", async () => {
  await withOriginal(async (scene) => {
    for (const path of [scene.paths.config, scene.paths.keyFolder]) {
      await Deno.remove(path, { recursive: true });
    }
    await takesRest(scene, /Done: 13 steps/, []);
    assertEquals([...scene.systemd.active], []);
  });
  await withOriginal(async (scene) => {
    await Deno.remove(`${scene.root}/etc/systemd`, { recursive: true });
    await Deno.remove(`${scene.root}/usr/share/applications`, { recursive: true });
    await Deno.remove(`${scene.root}/etc/xdg`, { recursive: true });
    await takesRest(scene, /Done: 3 steps/, ["lab", "work"]);
  });
  await withOriginal(async (scene) => {
    putPrograms(scene, "original");
    await refuses(
      scene,
      /usr\/bin\/qvm-remote-dom0 is still the original's program\n.*install this/,
    );
  });
});

Deno.test("migrate: both run: it says so, and the original is stopped", () =>
  withOriginal(async (scene) => {
    const { paths } = scene;
    await Deno.mkdir(paths.libFolder, { recursive: true });
    await Deno.mkdir(paths.runFolder, { recursive: true });
    using _lock = await takeInstanceLock(paths.libFolder);
    await Deno.writeTextFile(paths.stateFile, JSON.stringify({ vms: [] }));
    assertStringIncludes(
      (await scene.migrate()).said,
      "it runs beside the original: a request may",
    );
    assertEquals((await scene.migrate("--apply")).code, 0);
    assertEquals([...scene.systemd.active], []);
  }, { keys: {} }));

Deno.test("migrate: a daemon that somebody started by hand stops it", () =>
  withOriginal(async (scene) => {
    scene.systemd.pids = [4711, 4812];
    scene.systemd.mainPid = 4812;
    await refuses(scene, /the original's daemon runs as process 4711[^]*run "kill 4711"/);
  }));

Deno.test("migrate: a command that the original runs is not cut off", () =>
  withOriginal(async (scene) => {
    await Deno.mkdir(scene.paths.runFolder, { recursive: true });
    const script = `${scene.paths.runFolder}/20260218-143022-1234-a1b2c3d4.sh`;
    await Deno.writeTextFile(script, "sleep 60\n");
    await refuses(scene, /runs a command now: "20260218-143022-1234-a1b2c3d4"\n.*wait for its end/);
    await Deno.remove(script);
    assertEquals((await scene.migrate("--apply")).code, 0);
  }));

Deno.test("migrate: a file in the place of what is put aside stops it", () =>
  withOriginal(async (scene) => {
    const path = `${scene.root}/etc/systemd/system/qvm-remote-dom0.service.before-migration`;
    await Deno.writeTextFile(path, "mine\n");
    await refuses(scene, /service\.before-migration is in the way\n.*move it/);
  }));

Deno.test("migrate: a mask and a drop-in are a person's, and are named", () =>
  withOriginal(async (scene) => {
    const units = `${scene.root}/etc/systemd/system`;
    await Deno.remove(`${units}/qubes-global-admin-web.service`);
    await Deno.symlink("/dev/null", `${units}/qubes-global-admin-web.service`);
    await Deno.mkdir(`${units}/qvm-remote-dom0.service.d`);
    const { code, said } = await scene.migrate();
    assertEquals(code, 0, said);
    assertMatch(said, /it is masked.*"systemctl unmask qubes-global-admin-web\.service"/);
    assertMatch(said, /qvm-remote-dom0\.service\.d\n.*holds for this project's/);
    assertEquals(said.includes("stop qubes-global-admin-web"), false);
  }));

Deno.test("migrate: the web admin's elevated mode is named, and not taken", () =>
  withOriginal(async (scene) => {
    const text = JSON.stringify({ dom0: "full", default: "full" });
    await Deno.writeTextFile(`${scene.root}/etc/qubes/remote-admin-policy.json`, text);
    await takesRest(scene, /the web admin's elevated mode\n.*There is none here/, ["lab", "work"]);
  }));

Deno.test("migrate: where the original never was, there is nothing to do", () =>
  withOriginal(async (scene) => {
    const { code, said } = await scene.migrate();
    assertEquals([code, said], [0, "There is nothing of the Python original here.\n"]);
    assertEquals((await scene.migrate("--apply")).code, 0);
  }, null));

Deno.test("migrate: words that do not fit", () =>
  withOriginal(async (scene) => {
    for (const words of [["--apply", "--undo"], ["work"], ["--dry"], ["--apply", "--apply"]]) {
      assertEquals((await scene.migrate(...words)).code, 2, words.join(" "));
    }
  }, null));
