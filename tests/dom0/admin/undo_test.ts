// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Undo: operations and changes of files stand in one list, and each is taken back there. */

import { assertEquals, assertMatch } from "@std/assert";
import type { PolicyChangeNow } from "../../../dom0/admin/channel/policy_channel.ts";
import { after, startScene } from "./admin_scene.ts";
import { NOW_MS } from "./fake_channel.ts";

const ELEVATE = { minutes: "15", word: "elevate" };
const ID = "20261128-142000-1-000000c2";
const PATH = `/undo/policy/${ID}`;

function change(more: Partial<PolicyChangeNow> = {}): PolicyChangeNow {
  return {
    ...{ id: ID, timeMs: NOW_MS - 60_000, by: "web s-9", file: "30-research.policy" },
    ...{ before: "* old * deny\n", after: "* new * deny\n", now: "* new * deny\n" },
    ...{ isUndone: false, ...more },
  };
}

Deno.test("a change of policy and of remote.conf stand among the operations, newest first", async () => {
  await using scene = await startScene();
  const { dom0 } = scene;
  dom0.undoable = [{
    ...{ id: "work-1", timeMs: NOW_MS - 90_000, operation: "vm.tags.add", by: "work" },
    ...{ values: { vm: "work", tag: "lab" }, before: false, runs: ["qvm-tags work del lab"] },
    changedSince: null,
  }];
  dom0.policyChanges = [change(), change({ id: "undone", isUndone: true })];
  dom0.files.set("30-research.policy", "* new * deny\n");
  dom0.configChanges = [{
    ...change({ id: "c1", file: "remote.conf", timeMs: NOW_MS - 120_000 }),
    ...{ before: null, after: dom0.config, now: dom0.config },
  }];
  const login = await scene.login();
  const { text } = await scene.get("/undo", login);
  assertEquals(
    [...text.matchAll(/<tr data-key="([^"]*)"|<tr[^>]* data-key="([^"]*)"/g)]
      .map(([, one, other]) => one ?? other),
    [PATH, "/undo/work-1", "/undo/config/c1"],
  );
  assertMatch(text, /Undo the change of <code>30-research\.policy[^]*<del>\* new/, "the newest");
  assertMatch(text, /<ins>\* old \* deny<\/ins>[^]*It takes <a href="\/sessions">elevated mode/);

  assertMatch(await after(scene, login, PATH, {}), /Not undone[^]*takes elevated mode/);
  await scene.post("/sessions/elevate", login, ELEVATE);
  assertMatch(await after(scene, login, PATH, {}), /Undone, and on record/);
  assertEquals(dom0.files.get("30-research.policy"), "* old * deny\n");
  assertMatch(await after(scene, login, "/undo/config/c1", {}), /Undone, and on record/);
  assertEquals(dom0.config, "");
  assertEquals((await scene.post("/undo/other/c1", login, {})).status, 404);
});

Deno.test("what was changed since has no button; what cannot be read is said, and the rest is there", async () => {
  await using scene = await startScene();
  const { dom0 } = scene;
  dom0.policyChanges = [change({ now: "* newer * deny\n" })];
  const login = await scene.login();
  const { text } = await scene.get(PATH, login);
  assertMatch(text, /It changed since\.<\/strong> So it is not undone by itself/);
  assertEquals(text.includes("Undo this change"), false);
});
