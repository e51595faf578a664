// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Policy: files are made, changed and removed only after a look at what that does. @module */

import { assertEquals, assertMatch } from "@std/assert";
import { textDiff } from "../../../dom0/operator/text_diff.ts";
import { markOf } from "../../../dom0/operator/policy_files.ts";
import { type AdminScene, after, startScene } from "./admin_scene.ts";

const FILE = "30-research.policy";
const PATH = `/policy/${FILE}`;
const ELEVATE = { minutes: "15", word: "elevate" };

function did({ dom0 }: AdminScene): readonly string[] {
  return dom0.did.filter((one) => !one.includes("session") && !one.includes("elevated"));
}

Deno.test("a policy with an error is not saved; a good one is, in elevated mode", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const seen = markOf(scene.dom0.files.get(FILE) ?? "");
  const text = "vm.* research @tag:ai alow";
  const bad = await scene.post(PATH, login, { what: "save", seen, text });
  assertMatch(bad.text, /found alow/);
  assertMatch(bad.text, /vm\.\* research @tag:ai alow/, "what was typed is still there");
  const good = { what: "save", seen, text: "vm.* research @tag:ai ask\r\n" };
  const checked = await scene.post(PATH, login, { ...good, what: "check" });
  assertMatch(checked.text, /Nothing is wrong/);
  const usual = await scene.post(PATH, login, good);
  assertMatch(usual.text, /Not saved[^]*elevated mode/);
  assertMatch(usual.text, /vm\.\* research @tag:ai ask/, "what was typed is still there");
  assertEquals(did(scene), []);
  await scene.post("/sessions/elevate", login, ELEVATE);
  await after(scene, login, PATH, good);
  assertEquals(scene.dom0.files.get(FILE), "vm.* research @tag:ai ask\n");
  assertEquals(did(scene), [`save ${FILE} by web s-1`]);
});

Deno.test("a check shows whom the text would answer otherwise, and tries a request against it", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { text } = await scene.post(PATH, login, {
    ...{ what: "check", text: "vm.start research * ask", seen: "" },
    ...{ "try-vm": "research", "try-words": "qvm-kill work" },
  });
  assertMatch(text, /What it would change[^]*research[^]*manage[^]*>ask<[^]*>deny</);
  assertMatch(text, /vm\.kill<\/code>: <strong class="ask">ask[^]*30-research\.policy[^]*decides/);
  assertEquals(did(scene), []);
});

Deno.test("what somebody else wrote meanwhile is not written over", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  await scene.post("/sessions/elevate", login, ELEVATE);
  const seen = markOf(scene.dom0.files.get(FILE) ?? "");
  scene.dom0.files.set(FILE, "# another person's\n");
  const { text } = await scene.post(PATH, login, { what: "save", seen, text: "# mine\n" });
  assertMatch(text, /changed meanwhile/);
  assertMatch(text, /# mine/);
  assertEquals(scene.dom0.files.get(FILE), "# another person's\n");
});

Deno.test("a new file begins from a recipe, gets a name that is checked, and is saved", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { text } = await scene.get("/policy?new=tagged&vm=work", login);
  assertMatch(text, /value="40-work\.policy"/);
  assertMatch(text, /vm\.shutdown +work +@tag:ai +allow/);
  await scene.post("/sessions/elevate", login, ELEVATE);
  const rules = { text: "vm.start work @tag:ai allow\n", seen: "" };
  const odd = await scene.post("/policy?new=tagged&vm=work", login, {
    ...{ ...rules, what: "save", file: "../shadow" },
  });
  assertMatch(odd.text, /not the name of a policy file/);
  const plain = { ...rules, what: "save", file: "agent.policy" };
  assertMatch((await scene.post("/policy", login, plain)).text, /such as &quot;40-agent\.policy/);
  const taken = { ...rules, what: "save", file: FILE };
  assertMatch((await scene.post("/policy", login, taken)).text, /changed meanwhile/);
  assertEquals(did(scene), []);
  const named = { ...rules, what: "save", file: "40-work.policy" };
  assertMatch(await after(scene, login, "/policy", named), /40-work\.policy is in force/);
  assertEquals(scene.dom0.files.get("40-work.policy"), rules.text);
});

Deno.test("before a file is removed the page says who loses what; it comes back by an undo", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const was = scene.dom0.files.get(FILE) ?? "";
  const { text } = await scene.get(`${PATH}?remove`, login);
  assertMatch(text, /<del>@manage research @tag:ai ask<\/del>/);
  assertMatch(text, /Who loses or gains[^]*research/);
  const form = { what: "remove", seen: markOf(was) };
  assertMatch(await after(scene, login, PATH, form), /Not removed[^]*elevated mode/);
  await scene.post("/sessions/elevate", login, ELEVATE);
  assertMatch(await after(scene, login, PATH, form), /is removed\. It can be undone/);
  assertEquals([...scene.dom0.files], []);
  const id = scene.dom0.policyChanges[0]?.id ?? "";
  assertMatch(await after(scene, login, "/policy-undo", { id }), /Undone, and on record/);
  const gone = await after(scene, login, "/policy-undo", { id: "20260101-000000-1-00000000" });
  assertMatch(gone, /Not undone: it is no longer kept\.</);
  assertEquals(scene.dom0.files.get(FILE), was);
  await scene.post("/sessions/elevate", login, { minutes: "0" });
  const [{ id: undone } = { id: "" }] = scene.dom0.policyChanges;
  assertMatch(await after(scene, login, "/policy-undo", { id: undone }), /Not undone[^]*elevated/);
});

Deno.test("the difference of two texts is what goes and what comes, between what stays", () => {
  assertEquals(
    textDiff("a\nb\nc\n", "a\nx\ny\nc\n").map(({ kind, text }) => `${kind} ${text}`),
    ["same a", "removed b", "added x", "added y", "same c"],
  );
  assertEquals(textDiff("", "a\n"), [{ kind: "added", text: "a" }]);
  assertEquals(textDiff("a\na\n", "a\n").map(({ kind }) => kind), ["same", "removed"]);
});
