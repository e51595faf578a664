// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Backup: what is backed up, restored, archived and taken in, and by whom. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AdminScene, after, startScene } from "./admin_scene.ts";

const ELEVATE = { minutes: "15", word: "elevate" };

function ran({ dom0 }: AdminScene): readonly string[] {
  return dom0.did.filter((one) => !/session|elevated/.test(one));
}

Deno.test("a backup is of chosen qubes, without others, by names with blanks or commas", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const where = { location: "/mnt/backup", passphrase_file: "/root/pass", dest_vm: "" };
  const chosen = { what: "start", vms: "work, research", exclude: "personal sys-net" };
  const { headers } = await scene.post("/backup", login, { ...where, ...chosen });
  assertMatch(headers.get("location") ?? "", /^\/execute\//);
  assertEquals(ran(scene), [
    'run backup.start {"passphrase_file":"/root/pass","location":"/mnt/backup",' +
    '"vms":"work,research","exclude":"personal,sys-net"} by web s-1',
  ]);
  const bad = await after(scene, login, "/backup", { ...where, what: "start", vms: "wo;rk" });
  assertMatch(bad, /Nothing was begun[^]*value="wo;rk"/, "what was typed is still there");
});

Deno.test("a restore takes elevated mode, and says what to do with names that are taken", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const restore = {
    ...{ what: "restore", location: "/mnt/b/qubes-1", passphrase_file: "/root/p", dest_vm: "" },
    ...{ taken: "rename_conflicting", missing: "", vms: "work" },
  };
  const usual = await after(scene, login, "/backup", restore);
  assertMatch(usual, /Nothing was begun: backup\.restore is of level full/);
  assertMatch(usual, /value="\/mnt\/b\/qubes-1"/, "what was typed is still there");
  assertEquals(ran(scene), []);
  await scene.post("/sessions/elevate", login, ELEVATE);
  await after(scene, login, "/backup", { ...restore, missing: "no_such_flag" });
  assertEquals(ran(scene), [
    'run backup.restore {"passphrase_file":"/root/p","location":"/mnt/b/qubes-1","vms":"work",' +
    '"rename_conflicting":"true"} by web s-1',
  ]);
});

Deno.test("an archive is made without keys, and with them only if they are asked for", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  assertMatch(await after(scene, login, "/backup/archive", {}), /is made, without the keys/);
  assertMatch(
    await after(scene, login, "/backup/archive", { keys: "yes" }),
    /is made, with the keys[^]*in it[^]*not in it/,
  );
  assertEquals(ran(scene), ["archive by web s-1", "archive with keys by web s-1"]);
});

Deno.test("an archive is taken in after a look at what it changes, in elevated mode", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  await scene.post("/backup/archive", login, { keys: "yes" });
  const { name = "" } = scene.dom0.archives[0] ?? {};
  const look = (await scene.get(`/backup?archive=${name}`, login)).text;
  assertMatch(look, /1 thing would change, 3 are the same[^]*<del>@manage research @tag:ai ask/);
  assertMatch(look, /stays: <code>40-new\.policy/);
  assert(!look.includes("Key of"), "keys only when they are asked for");
  const withKeys = (await scene.get(`/backup?archive=${name}&keys=yes`, login)).text;
  assertMatch(withKeys, /Key of[^]*<ins>0f1e-2d3c/);
  const mark = /name="mark" value="([0-9a-f]+)"/.exec(withKeys)?.[1] ?? "";
  const form = { name, mark, keys: "yes" };
  assertMatch(await after(scene, login, "/backup/take-in", form), /Not taken in[^]*elevated mode/);
  await scene.post("/sessions/elevate", login, ELEVATE);
  const stale = await after(scene, login, "/backup/take-in", { ...form, mark: "0" });
  assertMatch(stale, /Not taken in: what is there changed meanwhile/);
  const done = await after(scene, login, "/backup/take-in", form);
  assertMatch(done, /is taken in\. What was there before is in config-/);
  assertEquals(ran(scene).at(-1), `take in ${name} with keys by web s-1`);
  const gone = (await scene.get("/backup?archive=config-20200101-000000.json", login)).text;
  assertMatch(gone, /there is no archive/);
});

Deno.test("an archive is removed after its name was typed", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { name } = await scene.dom0.channel.makeArchive(false, "web s-1");
  const page = `/backup?archive=${name}`;
  assertMatch((await scene.get(page, login)).text, /Remove this archive…/);
  const path = "/backup/remove-archive";
  assertMatch(await after(scene, login, path, { name, word: "yes" }), /Not removed: type config-/);
  assertEquals(scene.dom0.archives.length, 1);
  assertMatch(await after(scene, login, path, { name, word: name }), /is removed/);
  assertEquals(scene.dom0.archives.length, 0);
  assertMatch(await after(scene, login, path, { name, word: name }), /there is no archive/);
});
