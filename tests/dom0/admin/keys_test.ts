// SPDX-License-Identifier: GPL-2.0-or-later
/** Letting a VM in and out by its key, as a page asks it of dom0. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AdminScene, after, type Login, startScene } from "./admin_scene.ts";
import { FINGERPRINT } from "./fake_channel.ts";

const VM = "ai-build-1";
const PATH = `/keys/authorize?vm=${VM}`;
const COMPARED = { vm: VM, fingerprint: FINGERPRINT, same: "yes", grant: "ask" };

const authorize = (scene: AdminScene, login: Login, fields: Record<string, string>) =>
  after(scene, login, "/keys/authorize", fields);

function did({ dom0 }: AdminScene): readonly string[] {
  return dom0.did.filter((one) => /^(authorize|revoke|queue)/.test(one));
}

Deno.test("a VM is let in with the key whose fingerprint was compared, a grant and a scope", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  assertMatch((await scene.get(PATH, login)).text, new RegExp(FINGERPRINT));
  assertMatch(await authorize(scene, login, COMPARED), /is authorised, with the key/);
  const scoped = { ...COMPARED, grant: "manage", scope: "ai", v1: "yes" };
  await authorize(scene, login, scoped);
  assertEquals(did(scene), [
    `authorize ${VM} ${FINGERPRINT} ask null v2 by web s-1`,
    `authorize ${VM} ${FINGERPRINT} manage @tag:ai v1 by web s-1`,
  ]);
});

Deno.test("what nobody compared, or another key by now, lets no VM in", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { same: _, ...unseen } = COMPARED;
  assertMatch(await authorize(scene, login, unseen), /say that they are the same/);
  assertMatch(await authorize(scene, login, { vm: VM, grant: "ask" }), /no key was fetched/);
  const other = { ...COMPARED, fingerprint: "0000-0000" };
  assertMatch(await authorize(scene, login, other), /not the one that was compared/);
  assertEquals(
    (await scene.post("/keys/authorize", login, { ...COMPARED, vm: "dom0" })).status,
    404,
  );
  assertEquals(
    (await scene.post("/keys/authorize", login, { ...COMPARED, grant: "" })).status,
    400,
  );
  assertEquals(did(scene), []);
});

Deno.test("full is given in elevated mode only, with the VM's name typed", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const full = { ...COMPARED, grant: "full", name: VM };
  assertMatch(await authorize(scene, login, full), /only a session in elevated mode/);
  await scene.post("/sessions/elevate", login, { minutes: "10", word: "elevate" });
  assertMatch(await authorize(scene, login, { ...full, name: "work" }), /type ai-build-1 to give/);
  assertEquals(did(scene), []);
  await authorize(scene, login, full);
  assertEquals(did(scene).length, 1);
});

Deno.test("a key that is typed in is sent on, and stands on no page", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  scene.dom0.broken.add("fingerprint");
  assertMatch((await scene.get(PATH, login)).text, /cannot be fetched.*answered with no key/s);
  const key = "ab".repeat(32);
  assert(!(await authorize(scene, login, { vm: VM, grant: "monitor", key })).includes(key));
  assertEquals(did(scene), [`authorize ${VM} a typed key monitor null v2 by web s-1`]);
});

Deno.test("a key is revoked with the VM's name; its queue is looked into, and cleaned", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const change = (path: string, fields: Record<string, string>) =>
    after(scene, login, path, fields);
  assertMatch(await change("/keys/work/revoke", { name: "wrk" }), /Not revoked: type work/);
  await change("/keys/work/revoke", { name: "work" });
  assertMatch(await change("/keys/work/queue", { what: "status" }), /1 running, 2 answered\./);
  assertMatch(await change("/keys/work/queue", { what: "clean" }), /3 removed/);
  assertMatch(await change("/keys/personal/queue", { what: "status" }), /personal does not answer/);
  assertEquals((await scene.post("/keys/work/queue", login, { what: "x" })).status, 400);
  assertEquals(did(scene), [
    "revoke work by web s-1",
    "queue work status by web s-1",
    "queue work clean by web s-1",
  ]);
});

Deno.test("with a key the queue is emptied, too, if somebody wants it, and its VM answers", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const revoke = (vm: string) =>
    after(scene, login, `/keys/${vm}/revoke`, { name: vm, clean: "yes" });
  assertMatch(await revoke("work"), /key of work is gone[^]*queue in work: 3 removed/);
  assertMatch(await revoke("personal"), /key of personal is gone[^]*left as it is\. the qube/);
  assertEquals(did(scene), [
    "revoke work by web s-1",
    "queue work clean by web s-1",
    "revoke personal by web s-1",
  ]);
});

Deno.test("what lies in a queue is shown as the VM's own words, and left requests are answered", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  scene.dom0.queue = [{ folder: "pending", bytes: 7, name: "<b>\u202ex" }];
  const { text } = await scene.get("/keys/work/queue", login);
  assertMatch(text, /\[<bdi>work<\/bdi>\][^]*&lt;b&gt;<span class="ctl">U\+202E[^]*7 bytes/);
  assertMatch((await scene.get("/keys/personal/queue", login)).text, /personal does not run/);
  assertEquals((await scene.get("/keys/nobody/queue", login)).status, 404);
  assertMatch(await after(scene, login, "/keys/work/queue", { what: "recover" }), /3 removed/);
  assertEquals(did(scene), ["queue work recover by web s-1"]);
});

Deno.test("a VM that does not run is started where its key is to be compared", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const path = "/keys/authorize?vm=personal";
  assertMatch((await scene.get(path, login)).text, /Start personal/);
  const start = { operation: "vm.start", then: "authorize" };
  const { headers } = await scene.post("/qubes/personal/power", login, start);
  assertEquals(headers.get("location"), path);
  assertMatch((await scene.get(path, login)).text, new RegExp(FINGERPRINT));
});

Deno.test("a key that is not used is said, with the next step", async () => {
  await using scene = await startScene();
  scene.dom0.keyFaults.push({ vm: "old", message: "its file can be read by others" });
  const { text } = await scene.get("/keys", await scene.login());
  assertMatch(text, /The key of .*old.* is not used\..*read by others\. Authorise it anew/s);
});
