// SPDX-License-Identifier: GPL-2.0-or-later
/** What is set for a qube, edited on its page: staged and applied together; devices at once. @module */

import { assertEquals, assertMatch } from "@std/assert";
import { type AdminScene, after, type Login, startScene } from "./admin_scene.ts";

interface Edits {
  readonly scene: AdminScene;
  readonly login: Login;
  /** Posts, and gives the text of the page after it. */
  post(path: string, fields: Record<string, string>): Promise<string>;
}

async function withEdits(run: (edits: Edits) => Promise<void>): Promise<void> {
  await using scene = await startScene();
  const login = await scene.login();
  await run({
    scene,
    login,
    post: (path, fields) => after(scene, login, path, fields),
  });
}

const stage = (operation: string, name: string, more: Record<string, string> = {}) => ({
  ...{ operation, name },
  ...more,
});

Deno.test("prefs, features, tags and services are set, reset and removed as staged changes", async () => {
  await withEdits(async ({ scene, post }) => {
    const qube = scene.dom0.qubes.get("work");
    const edits = [
      stage("vm.prefs.set", "maxmem", { before: "4000", after: "8000" }),
      stage("vm.prefs.reset", "vcpus", { before: "2" }),
      stage("vm.features.set", "internal", { before: "", after: "1" }),
      stage("vm.features.reset", "gui-events-max-delay", { before: "100" }),
      stage("vm.tags.add", "nightly"),
      stage("vm.tags.remove", "lab"),
      stage("vm.services.enable", "crond"),
      stage("vm.services.reset", "clocksync", { before: "on" }),
    ];
    for (const edit of edits) await post("/qubes/work/stage", edit);
    assertMatch(
      await post("/qubes/work/stage", stage("system.prefs.set", "clockvm", { after: "x" })),
      /cannot be edited here/,
    );
    assertEquals(scene.dom0.did.filter((one) => one.startsWith("run")), [], "nothing yet");
    assertMatch(await post("/staged", { what: "apply" }), /8 changes were applied/);
    assertEquals(qube?.prefs.get("maxmem"), "8000");
    assertEquals(qube?.prefs.get("vcpus"), "the default");
    assertEquals([...qube?.features ?? []], [["internal", "1"]]);
    assertEquals([...qube?.tags ?? []], ["nightly"]);
    assertEquals([...qube?.services ?? []], [["crond", "on"]]);
  });
});

Deno.test("rules of the firewall come and go at the places that were shown, in any order of edits", async () => {
  await withEdits(async ({ scene, post }) => {
    const rules = scene.dom0.qubes.get("work")?.rules ?? [];
    rules.splice(0, 2, { action: "a0" }, { action: "a1" }, { action: "a2" }, { action: "drop" });
    const remove = (number: string, text: string) =>
      post("/qubes/work/rule", { operation: "vm.firewall.remove", number, text });
    const add = (dsthost: string, at: string) =>
      post("/qubes/work/rule", {
        ...{ operation: "vm.firewall.add", action: "accept", dsthost, proto: "tcp", at },
        dstports: "443",
      });
    await remove("0", "a0");
    await add("one.example", "3");
    await remove("2", "a2");
    await add("two.example", "3");
    assertMatch(await add("end.example", ""), /end\.example/);
    assertMatch(await add("no good", ""), /Not staged: .*no good/);
    assertMatch(await post("/staged", { what: "apply" }), /5 changes were applied/);
    assertEquals(rules.map(({ action, dsthost }) => dsthost ?? action), [
      ...["a1", "one.example", "two.example", "drop", "end.example"],
    ]);
  });
});

Deno.test("a rule that is another one by now is a conflict, and nothing is removed", async () => {
  await withEdits(async ({ scene, post }) => {
    const rules = scene.dom0.qubes.get("work")?.rules ?? [];
    const [first] = rules;
    await post("/qubes/work/rule", {
      ...{ operation: "vm.firewall.remove", number: "1", text: "drop" },
    });
    rules.splice(0, 0, { action: "accept", dsthost: "new.example" });
    assertMatch(await post("/staged", { what: "apply" }), /changed meanwhile/);
    assertEquals(rules[1], first);
  });
});

Deno.test("a device is attached and detached by its class, at once", async () => {
  await withEdits(async ({ scene, login, post }) => {
    const { text } = await scene.get("/qubes/work", login);
    assertMatch(text, /Logitech camera.*Flash disk.*Microphone/s);
    const block = { class: "block", device: "sys-usb:sda" };
    assertMatch(
      await post("/qubes/work/device", { ...block, what: "attach", ro: "yes" }),
      /sys-usb:sda is attached/,
    );
    assertMatch(await post("/qubes/work/device", { ...block, what: "detach" }), /is detached/);
    assertEquals(scene.dom0.did.filter((one) => one.startsWith("run device")), [
      `run device.attach {"device_class":"block","vm":"work","device":"sys-usb:sda","ro":"true"} by web s-1`,
      `run device.detach {"device_class":"block","vm":"work","device":"sys-usb:sda"} by web s-1`,
    ]);
    const { status } = await scene.post("/qubes/work/device", login, { ...block, what: "x" });
    assertEquals(status, 400);
    scene.dom0.broken.add("device.list");
    assertMatch((await scene.get("/qubes/work", login)).text, /Cannot be read/);
  });
});
