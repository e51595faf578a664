// SPDX-License-Identifier: GPL-2.0-or-later
/** The page of the system as a whole: prefs staged, updates looked for, templates installed. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { startScene } from "./admin_scene.ts";

Deno.test("a global property is staged beside those of qubes, and set or reset with them", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const edit = { name: "default_netvm", before: "sys-firewall", after: "sys-vpn" };
  await scene.post("/global/stage", login, { ...edit, operation: "system.prefs.set" });
  assertMatch(
    (await scene.get("/global", login)).text,
    /sys-firewall<\/del> <ins class="now">sys-vpn/,
  );
  assertMatch((await scene.get("/staged", login)).text, /default_netvm.*sys-vpn/s);
  const { text } = await scene.get("/global?edit=default_netvm", login);
  assert(!text.includes('id="value"'), "what is staged is reviewed first");
  await scene.post("/global/stage", login, { ...edit, operation: "vm.prefs.set" });
  assertMatch((await scene.get("/global", login)).text, /This cannot be edited here/);
});

Deno.test("updates are looked for and templates installed as runs that are followed; nothing else is begun", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const begin = async (fields: Record<string, string>): Promise<string> =>
    (await scene.post("/global/begin", login, fields)).headers.get("location") ?? "";
  assertMatch(await begin({ operation: "update.check" }), /^\/execute\//);
  assertMatch(
    await begin({ operation: "template.install", template: "fedora-42-minimal" }),
    /^\/execute\//,
  );
  const other = await scene.post("/global/begin", login, { operation: "update.install" });
  assertEquals(other.status, 400);
  assertEquals(scene.dom0.did.filter((one) => one.startsWith("run template")), [
    `run template.install {"template":"fedora-42-minimal"} by web s-1`,
  ]);
});

Deno.test("what cannot be read is said in its place, and the rest is there", async () => {
  await using scene = await startScene();
  scene.dom0.broken.add("xen.info");
  const { text } = await scene.get("/global", await scene.login());
  assertMatch(text, /Cannot be read.*it is broken/s);
  assertMatch(text, /debian-13/);
  assertMatch(text, /This device.*Release/s);
});
