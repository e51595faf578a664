// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Configuration: remote.conf is shown, checked, saved in elevated mode, and taken back. */

import { assertEquals, assertMatch } from "@std/assert";
import { markOf } from "../../../dom0/operator/policy_files.ts";
import { after, startScene } from "./admin_scene.ts";

const PATH = "/configuration";
const ELEVATE = { minutes: "15", word: "elevate" };
const GOOD = 'QVM_REMOTE_VMS="work"\n';

Deno.test("remote.conf is checked by anybody, saved in elevated mode, and undone", async () => {
  await using scene = await startScene();
  const { dom0 } = scene;
  const login = await scene.login();
  const before = dom0.config;
  const seen = markOf(before);
  assertMatch((await scene.get(PATH, login)).text, /QVM_REMOTE_VMS=&quot;work research personal/);
  const bad = await scene.post(PATH, login, { what: "save", seen, text: "QVM_REMOTE_VM=x y z;" });
  assertMatch(bad.text, /Error[^]*line 1/);
  assertMatch(bad.text, /QVM_REMOTE_VM=x y z;/, "what was typed is still there");
  const checked = await scene.post(PATH, login, { what: "check", seen, text: GOOD });
  assertMatch(checked.text, /Nothing is wrong with it/);
  const usual = await scene.post(PATH, login, { what: "save", seen, text: GOOD });
  assertMatch(usual.text, /Not saved[^]*elevated mode/);
  assertEquals(dom0.config, before);

  await scene.post("/sessions/elevate", login, ELEVATE);
  assertMatch(await after(scene, login, PATH, { what: "save", seen, text: GOOD }), /takes it up/);
  assertEquals(dom0.config, GOOD);
  const late = await scene.post(PATH, login, { what: "save", seen, text: before });
  assertMatch(late.text, /Not saved[^]*changed meanwhile/);
  const [change] = dom0.configChanges;
  const undone = await after(scene, login, `${PATH}/undo`, { id: change?.id ?? "" });
  assertMatch(undone, /Undone, and on record/);
  assertEquals(dom0.config, before);
});

Deno.test("remote.conf is not undone in a usual session, and odd forms get an answer", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const text = await after(scene, login, `${PATH}/undo`, { id: "1" });
  assertMatch(text, /Not undone[^]*elevated mode/);
  assertEquals((await scene.post(PATH, login, { what: "write", text: "" })).status, 400);
});
