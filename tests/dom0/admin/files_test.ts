// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Files: folders of dom0, checksums as runs, and how a VM pushes and pulls. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { startScene } from "./admin_scene.ts";

Deno.test("a folder is listed with links to its folders, and says how a VM pushes into it", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { text } = await scene.get("/files?path=/home/user/", login);
  assertMatch(text, /href="\/files\?path=%2Fhome%2Fuser%2FDocuments"/);
  assertMatch(text, /release notes\.txt[^]*48,211[^]*0644/);
  assertMatch(text, /qvm-remote push FILE \/home\/user\//);
  assertMatch(text, /qvm-remote pull \/home\/user\/FILE \./);
  const gone = await scene.get("/files?path=/nowhere", login);
  assertEquals(gone.status, 200);
  assertMatch(gone.text, /Cannot be read[^]*no such folder/);
  const odd = await scene.get("/files?path=../etc", login);
  assertEquals(odd.status, 200);
});

Deno.test("a checksum is a run that is followed; a folder is made, and is on record", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const hash = { what: "hash", folder: "/home/user", path: "/home/user/release notes.txt" };
  const { status, headers } = await scene.post("/files", login, hash);
  assertEquals(status, 303);
  assertMatch(headers.get("location") ?? "", /^\/execute\//);
  const made = { what: "mkdir", folder: "/home/user", path: "/home/user/new/" };
  await scene.post("/files", login, made);
  assertMatch((await scene.get("/files?path=/home/user", login)).text, /\/home\/user\/new is made/);
  assert(scene.dom0.folders.has("/home/user/new"));
  assertEquals(scene.dom0.did.filter((one) => one.startsWith("run")), [
    'run file.stat {"path":"/home/user/release notes.txt","hash":"true"} by web s-1',
    'run file.mkdir {"path":"/home/user/new"} by web s-1',
  ]);
  assertEquals(
    (await scene.post("/files", login, { what: "read", path: "/etc/shadow" })).status,
    400,
  );
});
