// SPDX-License-Identifier: GPL-2.0-or-later
/** What a person does, in a browser: by keyboard and by mouse, live, with and without scripts. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { fakeParked } from "../dom0/admin/fake_channel.ts";
import { comesTrue, scriptsRun, startBrowser } from "./browser_scene.ts";
import { makeBusy } from "./web_world.ts";

Deno.test("a request appears by itself, and one key approves it", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/approvals");
  const { page } = open;
  await page.waitForSelector("text=Nothing waits for you.");
  await page.waitForSelector("#live-state >> text=Live");
  // Keys are dead for a moment after a request took its place: no answer to what was not seen.
  await page.evaluate(`document.addEventListener("live-update", () => {
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
  })`);
  dom0.now = { ...dom0.now, parked: [fakeParked()] };
  dom0.changed();
  await page.waitForSelector("text=The test run clones its fixtures");
  await comesTrue(page, "document.title.startsWith('(1)')");
  assertEquals(dom0.did.filter((one) => one.startsWith("approve")), []);
  await page.waitForTimeout(600); // longer than they are dead
  await page.keyboard.press("a");
  await page.waitForSelector("text=Approved once");
  assertEquals(dom0.did.filter((one) => one.startsWith("approve")).length, 1);
  assertEquals(open.complaints, []);
});

Deno.test("d, a reason and Enter deny; t approves for ten minutes", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  dom0.now = { ...dom0.now, parked: [fakeParked(), fakeParked({ id: "20261128-1-2-00000009" })] };
  await using open = await scene.open("/approvals");
  const { page } = open;
  await page.keyboard.press("d");
  await page.waitForSelector("dialog#deny[open]");
  await page.keyboard.type("not today");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Denied");
  await scriptsRun(page);
  await page.keyboard.press("t");
  await page.waitForSelector("text=for 10 minutes");
  assertMatch(dom0.did.join("\n"), /deny .* "not today"[^]*approve .* for 600/);
});

Deno.test("what destroys is approved only when its name is typed", async () => {
  await using scene = await startBrowser();
  const { dom0, dateMs } = scene.scene;
  makeBusy(dom0, dateMs);
  await using open = await scene.open("/approvals/research/20261128-142800-8-00000003");
  const { page } = open;
  await page.keyboard.press("a");
  await page.waitForSelector("dialog#destroy[open]");
  assert(await page.isDisabled("#destroy-go"));
  await page.keyboard.type("ai-sandbox-3");
  assert(await page.isEnabled("#destroy-go"));
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Approved once");
});

Deno.test("deep links, back and reload keep the place", async () => {
  await using scene = await startBrowser();
  makeBusy(scene.scene.dom0, scene.scene.dateMs);
  await using open = await scene.open("/logs?failed=1");
  const { page } = open;
  assertEquals(new URL(page.url()).hash, "", "the ticket is not in the address");
  await page.waitForSelector("td >> text=Refused");
  assertEquals(await page.locator("tbody tr").count(), 2);
  await page.click("#nav a >> text=Qubes");
  await page.waitForURL("**/qubes");
  await page.goBack();
  assert(page.url().endsWith("/logs?failed=1"));
  await page.reload();
  assertEquals(await page.locator("tbody tr").count(), 2);
  await page.keyboard.press("g");
  await page.keyboard.press("q");
  await page.waitForURL("**/qubes");
});

Deno.test("the palette finds a qube, an operation and a page", async () => {
  await using scene = await startBrowser();
  await using open = await scene.open("/");
  const { page } = open;
  const seek = async (text: string, path: string): Promise<void> => {
    await page.keyboard.press("Control+k");
    await page.waitForSelector("dialog#palette[open] [role=option] >> nth=5");
    await page.keyboard.type(text);
    await comesTrue(page, "document.querySelectorAll('#hits [role=option]').length < 12");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**${path}`);
  };
  await seek("ai-build", "/qubes/ai-build-1");
  await seek("firewall.list", "/execute?operation=vm.firewall.list");
  await seek("sessions", "/sessions");
  assertEquals(open.complaints, []);
});

Deno.test("edits are staged over pages and reloads, then applied", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/qubes/work?edit=maxmem");
  const { page } = open;
  await page.fill("#value", "8000");
  await page.click("#prefs button:text-is('Stage')");
  await page.waitForSelector(".bar >> text=1 staged change");
  await page.fill("#new-tag", "nightly");
  await page.click("#tags >> text=Add");
  await page.waitForSelector(".bar >> text=2 staged changes");
  await page.reload();
  await page.click("text=Review and apply");
  dom0.qubes.get("work")?.tags.add("nightly");
  await page.reload();
  await page.waitForSelector("text=1 of 2 has a conflict.");
  await open.shoot("staged-conflict-light");
  assertEquals(await open.violations(), []);
  dom0.qubes.get("work")?.tags.delete("nightly");
  await page.reload();
  await open.shoot("staged-list-light");
  await page.click("text=Apply 2 changes");
  await page.waitForSelector("text=2 changes were applied.");
  assertEquals(dom0.qubes.get("work")?.prefs.get("maxmem"), "8000");
  assert(dom0.qubes.get("work")?.tags.has("nightly"));
});

Deno.test("a qube is started from the list in one action, and its row changes in every tab", async () => {
  await using scene = await startBrowser();
  await using open = await scene.open("/qubes");
  const other = await open.page.context().newPage();
  await other.goto(`${scene.scene.origin}/qubes`);
  await open.page.click("tr[data-key=personal] >> text=Start");
  await open.page.waitForSelector("text=personal starts.");
  await other.bringToFront();
  scene.scene.dom0.changed();
  await other.waitForSelector("tr[data-key=personal] >> text=Running");
});

Deno.test("lockdown: a click and Enter from any page; unlocking takes the word", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/network");
  const { page } = open;
  await page.click("header >> text=Lockdown");
  await page.waitForSelector("dialog#lockdown[open]");
  await open.shoot("lockdown-dialog-light");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".band >> text=Locked down.");
  await open.shoot("locked-light");
  assert(await page.isDisabled("#unlock-go"));
  await page.fill("#word", "unlock");
  await page.click("#unlock-go");
  await page.waitForSelector("text=Unlocked");
  assertEquals(dom0.did.filter((one) => /lock/.test(one)), [
    "lockdown by web s-1",
    "unlock by web s-1",
  ]);
});

Deno.test("without scripts: pages, approving, denying and filtering work", async () => {
  await using scene = await startBrowser();
  const { dom0, origin, dateMs } = scene.scene;
  makeBusy(dom0, dateMs);
  const { cookie } = await scene.scene.login();
  const [name = "", value = ""] = cookie.split("=");
  const context = await scene.browser.newContext({ javaScriptEnabled: false });
  await context.addCookies([{ name, value, url: origin }]);
  const page = await context.newPage();
  await page.goto(`${origin}/approvals`);
  await page.click("text=Approve once");
  await page.waitForSelector("text=Approved once");
  await page.goto(`${origin}/approvals`);
  await page.click("text=Deny…");
  await page.click("#deny button");
  await page.waitForSelector("text=Denied");
  await page.goto(`${origin}/logs`);
  await page.check("text=Failed or refused only");
  await page.click("button >> text=Filter");
  assert(page.url().includes("failed=1"));
  await context.close();
});

Deno.test("a page of another port of 127.0.0.1 can neither read, nor change, nor frame anything", async () => {
  await using scene = await startBrowser();
  const { dom0, origin } = scene.scene;
  await using open = await scene.open("/");
  await using evil = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () =>
      new Response("<!doctype html><title>evil</title><body>", {
        headers: { "content-type": "text/html" },
      }),
  );
  const page = await open.page.context().newPage();
  await page.goto(`http://127.0.0.1:${evil.addr.port}/`);
  const tried = await page.evaluate(`(async (origin) => {
    const attempt = (run) => Promise.resolve().then(run).then((got) => String(got), (error) => "error " + error.name);
    const form = { method: "POST", credentials: "include", mode: "no-cors", body: new URLSearchParams({ what: "lockdown" }) };
    const frame = document.createElement("iframe");
    frame.src = origin + "/";
    document.body.append(frame);
    await new Promise((resolve) => frame.addEventListener("load", resolve));
    const popup = window.open(origin + "/");
    await new Promise((resolve) => setTimeout(resolve, 500));
    return {
      read: await attempt(async () => (await fetch(origin + "/", { credentials: "include" })).text()),
      opaque: await attempt(async () => (await fetch(origin + "/", { credentials: "include", mode: "no-cors" })).type),
      change: await attempt(async () => (await fetch(origin + "/lockdown", form)).type),
      frame: await attempt(() => frame.contentDocument?.title ?? "nothing"),
      popup: await attempt(() => popup === null || popup.closed ? "nothing" : popup.document.title),
      script: await attempt(() => new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = origin + "/palette";
        script.onload = () => resolve("loaded");
        script.onerror = () => reject(new Error("refused"));
        document.body.append(script);
      })),
    };
  })(${JSON.stringify(origin)})`) as Record<string, string>;
  assertEquals(tried["read"], "error TypeError");
  assertEquals(tried["opaque"], "error TypeError", "not even opaque: CORP");
  assert(["error TypeError", "opaque"].includes(tried["change"] ?? ""));
  assertEquals(tried["frame"], "nothing");
  assert(["nothing", "error SecurityError"].includes(tried["popup"] ?? ""), tried["popup"] ?? "");
  assertEquals(tried["script"], "error Error");
  assertEquals(dom0.did.filter((one) => !one.startsWith("began a web session")), []);
  assertEquals(dom0.now.daemon?.lockdown, false);
});

Deno.test("elevated mode counts down on every page, and the page says when it is over", async () => {
  await using scene = await startBrowser();
  scene.scene.dateMs = Date.now(); // the browser counts by its own clock
  await using open = await scene.open("/sessions");
  const { page } = open;
  await page.fill("#minutes", "1");
  await page.fill("#word", "elevate");
  await page.click("#elevate-go");
  await page.waitForSelector(".notice .left >> text=/0:[0-5][0-9]|01:00/");
  await open.go("/qubes");
  const first = await page.textContent(".notice .left");
  await page.waitForSelector(`.notice .left:not(:text-is("${first}"))`);
  await page.evaluate("document.querySelector('.notice .left').dataset.until = '1'");
  scene.scene.dateMs += 61_000;
  await page.waitForSelector(".notice .left", { state: "detached" });
});

Deno.test("a request is told of by the browser, on whatever page, when another window is in front", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/qubes");
  const { page } = open;
  await page.context().grantPermissions(["notifications"]);
  await page.addInitScript(`
    globalThis.shown = [];
    globalThis.Notification = class { static permission = "granted";
      constructor(title, { body }) { shown.push(title + ": " + body); } addEventListener() {} };
    Object.defineProperty(document, "hidden", { get: () => true });`);
  await page.reload();
  await page.waitForSelector(".top");
  dom0.now = { ...dom0.now, parked: [fakeParked()] };
  dom0.changed();
  await comesTrue(page, "document.title.startsWith('(1)')");
  assertEquals(await page.evaluate("shown"), [
    "A request waits in dom0: research: vm.firewall.add",
  ]);
});
