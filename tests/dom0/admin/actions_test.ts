// SPDX-License-Identifier: GPL-2.0-or-later
/** What each page does to dom0: by whom, and not without what it asks for. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AdminScene, after, startScene } from "./admin_scene.ts";
import { fakeParked } from "./fake_channel.ts";

function did({ dom0 }: AdminScene): readonly string[] {
  return dom0.did.filter((one) => !one.startsWith("began a web session"));
}

Deno.test("a request is approved once, for a time, or denied with a reason, by what was shown", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const request = fakeParked();
  const path = `/approvals/${request.vm}/${request.id}`;
  const wait = (): void => void (scene.dom0.now = { ...scene.dom0.now, parked: [request] });
  wait();
  assertMatch(
    await after(scene, login, path, { answer: "once", hash: "0".repeat(64) }),
    /It has changed/,
  );
  assertEquals(did(scene), []);
  assertMatch(
    await after(scene, login, path, { answer: "once", hash: request.hash }),
    /Approved once/,
  );
  assertMatch(
    await after(scene, login, path, { answer: "once", hash: request.hash }),
    /waits no more/,
  );
  wait();
  await after(scene, login, path, { answer: "while", hash: request.hash });
  wait();
  await after(scene, login, path, { answer: "deny", hash: request.hash, reason: "not today" });
  assertEquals(did(scene), [
    `approve research/${request.id} by web s-1`,
    `approve research/${request.id} for 600 by web s-1`,
    `deny research/${request.id} "not today" by web s-1`,
  ]);
  assertEquals((await scene.post(path, login, { answer: "yes" })).status, 400);
});

Deno.test("what destroys is approved only with its name, and not for a time", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const request = fakeParked({
    operation: "vm.remove",
    destructive: true,
    targets: ["ai-sandbox-3"],
  });
  scene.dom0.now = { ...scene.dom0.now, parked: [request] };
  const path = `/approvals/${request.vm}/${request.id}`;
  const { hash } = request;
  assert(!(await scene.get(path, login)).text.includes('value="while"'));
  for (
    const fields of [{ answer: "once", hash }, { answer: "while", hash }, {
      answer: "once",
      hash,
      name: "work",
    }]
  ) {
    assertMatch(await after(scene, login, path, fields), /Not approved/);
  }
  assertEquals(did(scene), []);
  await after(scene, login, path, { answer: "once", hash, name: "ai-sandbox-3" });
  assertEquals(did(scene), [`approve research/${request.id} by web s-1`]);
});

Deno.test("qubes start, shut down, are paused and killed; one is removed with its name", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  assertMatch(
    await after(scene, login, "/qubes/personal/power", { operation: "vm.start" }),
    /personal starts/,
  );
  await after(scene, login, "/qubes/personal/power", { operation: "vm.pause" });
  await after(scene, login, "/qubes/personal/power", { operation: "vm.kill", back: "list" });
  assertMatch(
    await after(scene, login, "/qubes/personal/power", { operation: "vm.remove" }),
    /Not removed/,
  );
  await after(scene, login, "/qubes/personal/power", { operation: "vm.remove", name: "personal" });
  assertEquals(did(scene).map((one) => one.split(" ")[1]), [
    "vm.start",
    "vm.pause",
    "vm.kill",
    "vm.remove",
  ]);
  assertEquals(
    (await scene.post("/qubes/work/power", login, { operation: "update.install" })).status,
    400,
  );
  assertMatch(
    await after(scene, login, "/qubes", { press: "vm.start nobody" }),
    /no such domain/,
  );
});

Deno.test("edits are staged, applied together, and taken back at the first failure", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const stage = (fields: Record<string, string>): Promise<string> =>
    after(scene, login, "/qubes/work/stage", fields);
  await stage({ operation: "vm.prefs.set", name: "memory", before: "400", after: "800" });
  await stage({ operation: "vm.tags.add", name: "nightly" });
  await stage({ operation: "vm.services.disable", name: "clocksync" });
  assertEquals(did(scene), [], "nothing is changed yet");
  assertMatch((await scene.get("/", login)).text, /3 staged changes/);
  assertMatch(await after(scene, login, "/staged", { what: "apply" }), /3 changes were applied/);
  const work = scene.dom0.qubes.get("work");
  assertEquals(work?.prefs.get("memory"), "800");
  assert(work?.tags.has("nightly"));

  await stage({ operation: "vm.prefs.set", name: "vcpus", before: "2", after: "4" });
  await stage({ operation: "vm.prefs.set", name: "maxmem", before: "4000", after: "refused" });
  const text = await after(scene, login, "/staged", { what: "apply" });
  assertMatch(text, /Invalid value/);
  assertMatch(text, /taken back: nothing is changed/);
  assertEquals(work?.prefs.get("vcpus"), "2");
  const { text: list } = await scene.get("/staged", login);
  assertMatch(list, /Apply 2 changes/, "they stay on the list");
});

Deno.test("a value that changed meanwhile is a conflict, and is not overwritten", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  await after(scene, login, "/qubes/work/stage", {
    operation: "vm.prefs.set",
    name: "memory",
    before: "400",
    after: "800",
  });
  scene.dom0.qubes.get("work")?.prefs.set("memory", "600");
  const { text } = await scene.get("/staged", login);
  assertMatch(text, /Conflict/);
  assert(!text.includes("Apply 1 change"));
  assertMatch(await after(scene, login, "/staged", { what: "apply" }), /changed meanwhile/);
  assertEquals(scene.dom0.qubes.get("work")?.prefs.get("memory"), "600");
  await after(scene, login, "/staged", { what: "keep-mine", key: "work memory", now: "600" });
  await after(scene, login, "/staged", { what: "apply" });
  assertEquals(scene.dom0.qubes.get("work")?.prefs.get("memory"), "800");
});

Deno.test("an operation runs by its form; what is wrong is said at its field", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const bad = await scene.post("/execute", login, {
    operation: "vm.create",
    "v-vm": "no good",
    "v-label": "",
  });
  assertMatch(bad.text, /There are 2 problems/);
  assertMatch(bad.text, /is not a qube name/);
  const unsure = await scene.post("/execute", login, { operation: "vm.kill", "v-vm": "work" });
  assertMatch(unsure.text, /Tick the box/);
  assertEquals(did(scene), []);
  const kill = { operation: "vm.kill", "v-vm": "work", sure: "yes" };
  const preview = await scene.post("/execute", login, { ...kill, what: "preview" });
  assertMatch(preview.text, /as it would be[^]*qvm-kill work/);
  assertEquals(did(scene), [], "a preview runs nothing");
  assertMatch(await after(scene, login, "/execute", kill), /Done/);
  assertEquals(did(scene), ['run vm.kill {"vm":"work"} by web s-1']);
  assertEquals((await scene.post("/execute", login, { operation: "constructor" })).status, 400);
});

Deno.test("what runs is shown as far as it has come, is cancelled, and its value is a table", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { runs } = scene.dom0;
  runs.isHeld = true;
  assertMatch(await after(scene, login, "/execute", { operation: "vm.list" }), /Running/);
  const [first] = runs.all;
  const path = `/execute/${first?.head.id}`;
  first?.print("half of it\n");
  assertMatch((await scene.get(path, login)).text, /half of it[^]*Cancel|Cancel[^]*half of it/);
  first?.finish({ value: [{ name: "work", memory: "400" }, { name: "lab", memory: null }] });
  const { text } = await scene.get(path, login);
  assertMatch(text, /<th scope="col" class="">Name<\/th><th scope="col" class="num">Memory<\/th>/);
  assertMatch(text, /<th scope="row" class="">work<\/th>/);
  await after(scene, login, "/execute", { operation: "vm.kill", "v-vm": "work", sure: "yes" });
  const second = `/execute/${runs.all[1]?.head.id}`;
  assertMatch(await after(scene, login, `${second}/cancel`, {}), /Cancelled/);
  assertMatch(await after(scene, login, `${second}/cancel`, {}), /ended already/);
  assertEquals((await scene.get("/execute/20261128-1-1-00000000", login)).status, 404);
});

Deno.test("a plan is followed, stopped and undone; what it left behind is said", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  await after(scene, login, "/qubes/work/stage", { operation: "vm.tags.add", name: "nightly" });
  const { status, headers } = await scene.post("/staged", login, { what: "apply" });
  const path = headers.get("location") ?? "";
  assertEquals(status, 303);
  assertMatch(path, /^\/plans\/dom0\//);
  const { text } = await scene.get(path, login);
  assertMatch(text, /vm=work tag=nightly[^]*Done[^]*<del>absent[^]*<ins>present/);
  assertMatch(text, /Undo 1 step/);
  assertMatch(await after(scene, login, path, { what: "undo" }), /Undone/);
  const [done] = scene.dom0.runs.plans;
  assert(done !== undefined);
  const running = { ...done, id: "20261128-143140-1-00000aaa", state: "running" as const };
  const cut = {
    ...done,
    ...{ id: "20261128-143140-1-00000bbb", state: "interrupted" as const },
    steps: done.steps.map((step) => ({ ...step, state: "stopped" as const })),
  };
  scene.dom0.runs.plans = [running, cut];
  scene.dom0.runs.undo = [];
  assertMatch((await scene.get("/plans", login)).text, /0 wait for you, 1 runs/);
  assertMatch(await after(scene, login, `/plans/dom0/${running.id}`, { what: "cancel" }), /ended/);
  const left = await scene.get(`/plans/dom0/${cut.id}`, login);
  assertMatch(left.text, /The daemon ended while it ran[^]*Not taken back: step 1/);
  assertMatch((await scene.get("/plans/work/gone", login)).text, /not here any more/);
});

Deno.test("scripts, and what is of level full, run in elevated mode only, which ends by itself", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const script = { operation: "shell", "v-script": "id" };
  const install = { operation: "update.install", sure: "yes" };
  for (const fields of [script, install]) {
    assertMatch((await scene.post("/execute", login, fields)).text, /elevated mode/i);
  }
  assertMatch(
    await after(scene, login, "/sessions/elevate", { minutes: "15", word: "no" }),
    /Not begun/,
  );
  for (const minutes of ["121", "-1", "1.5", "NaN", ""]) {
    const { status } = await scene.post("/sessions/elevate", login, { minutes, word: "elevate" });
    assert(minutes === "" ? status === 303 : status === 400, `${minutes}: ${status}`);
  }
  scene.dom0.did.length = 0;
  await after(scene, login, "/sessions/elevate", { minutes: "15", word: "elevate" });
  assertMatch(await after(scene, login, "/execute", script), /ran 2 characters/);
  scene.dateMs += 15 * 60_000;
  assertMatch((await scene.post("/execute", login, script)).text, /elevated mode/i);
  assertEquals(scene.dom0.did, [
    "began elevated mode for 15 minutes by web s-1",
    'shell "id" by web s-1',
  ]);
});

Deno.test("elevated mode does not begin where it cannot be put on record", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  scene.dom0.hooks.beforeNote = () => Promise.reject(new Error("disk full"));
  assertEquals(
    (await scene.post("/sessions/elevate", login, { minutes: "15", word: "elevate" })).status,
    500,
  );
  assertMatch(
    (await scene.post("/execute", login, { operation: "shell", "v-script": "id" })).text,
    /may not run/,
  );
});

Deno.test("lockdown takes one button, unlocking the word", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  assertMatch(await after(scene, login, "/lockdown", { what: "lockdown" }), /Locked down/);
  assertMatch((await scene.get("/qubes", login)).text, /class="band"/);
  assertMatch(await after(scene, login, "/lockdown", { what: "unlock", word: "" }), /Still locked/);
  await after(scene, login, "/lockdown", { what: "unlock", word: "unlock" });
  assertEquals(did(scene), ["lockdown by web s-1", "unlock by web s-1"]);
});

Deno.test("the record is filtered, searched and paged", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const refused = { event: "refused", fields: { vm: "research", reason: "bad-mac" } };
  scene.dom0.records = Array.from({ length: 250 }, (_, index) => ({
    ...{ seq: 250 - index, time: new Date(scene.dateMs - index * 1000).toISOString() },
    ...index === 7
      ? refused
      : { event: "done", fields: { vm: "work", exit: 0, command: `ls ${index}` } },
  }));
  const first = (await scene.get("/logs", login)).text;
  assertEquals(first.split(`data-th="VM"`).length - 1, 50);
  const next = /\/logs\?before=(\d+)/.exec(first)?.[1];
  assertEquals(next, "201");
  assertEquals(
    (await scene.get("/logs?before=31", login)).text.split('data-th="VM"').length - 1,
    30,
  );
  const failed = (await scene.get("/logs?failed=1", login)).text;
  assertMatch(failed, /bad-mac/);
  assertEquals(failed.split('data-th="VM"').length - 1, 1);
  assertMatch((await scene.get("/logs?text=nothing+like+it", login)).text, /No record matches/);
});

Deno.test("the qubes are listed although Xen is not, and an old list is better than none", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  scene.dom0.broken.add("xen.list");
  assertMatch((await scene.get("/qubes", login)).text, /9, of which 7 run/);
  scene.dom0.broken.add("vm.list");
  scene.dateMs += 60_000;
  await scene.get("/qubes", login);
  const { text } = await scene.get("/qubes", login);
  assertMatch(text, /9, of which 7 run/);
  assertMatch(text, /did not list its qubes/);
});

Deno.test("where dom0 does not answer, pages say so and what to do", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  scene.dom0.now = { daemon: null, parked: [], grants: [] };
  const { text, status } = await scene.get("/", login);
  assertEquals(status, 200);
  assertMatch(text, /Start it[^]*journalctl -u qvm-remote-dom0/);
});

Deno.test("the daemon's start with the machine is shown, and turned off and on", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  assertMatch((await scene.get("/", login)).text, /Autostart[^]*With the machine/);
  assertMatch(await after(scene, login, "/daemon", { autostart: "off" }), /Autostart[^]*Off/);
  assertEquals(did(scene), ["autostart off by web s-1"]);
  assertEquals((await scene.post("/daemon", login, { autostart: "maybe" })).status, 400);
});

Deno.test("the daemon is restarted, stopped and started from the Dashboard", async () => {
  await using scene = await startScene();
  const { dom0 } = scene;
  const login = await scene.login();
  for (const verb of ["restart", "stop"]) {
    const { text } = await scene.get(`/?dialog=${verb}`, login);
    assertMatch(text, new RegExp(`${verb} the daemon\\?`, "i"));
    assertMatch(text, /1 running request is ended\./);
    await after(scene, login, "/daemon", { turn: verb });
  }
  assertMatch(await after(scene, login, "/daemon", { turn: "start" }), /Not done[^]*runs already/);
  dom0.now = { daemon: null, parked: [], grants: [] };
  assertMatch((await scene.get("/", login)).text, /Not running[^]*Start it/);
  assertMatch(await after(scene, login, "/daemon", { turn: "start" }), /The daemon runs\./);
  assertEquals((await scene.post("/daemon", login, { turn: "kill" })).status, 400);
  assertEquals(did(scene), [
    "restart the daemon by web s-1",
    "stop the daemon by web s-1",
    "start the daemon by web s-1",
  ]);
});
