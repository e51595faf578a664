// SPDX-License-Identifier: GPL-2.0-or-later
/** What runs, in a browser, while it runs: its output, a plan's steps, and how it is ended. @module */

import { assert, assertEquals } from "@std/assert";
import { startBrowser } from "./browser_scene.ts";
import { fakeRecord } from "../dom0/admin/fake_channel.ts";
import { HOSTILE, makeBusy } from "./web_world.ts";

Deno.test("output stands on the page as it comes, whatever is in it, and the value when it ends", async () => {
  await using scene = await startBrowser();
  const { runs } = scene.scene.dom0;
  runs.isHeld = true;
  await using open = await scene.open("/execute?operation=vm.list");
  const { page } = open;
  await page.focus("[data-run-form] button");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#run >> text=Running");
  const [run] = runs.all;
  run?.print("first line\n");
  await page.waitForSelector("#output >> text=first line");
  run?.print(`\x1b[31m${HOSTILE}\n`, 2);
  await page.waitForSelector("#output .err .ctl >> text=ESC[31m");
  assertEquals(await page.locator("#output script, #output img").count(), 0);
  await open.shoot("execute-running-light");
  assertEquals(await open.violations(), []);
  run?.finish({ value: [{ name: "work", state: "Running" }, { name: "lab", state: "Halted" }] });
  await page.waitForSelector("#run >> text=Done");
  assertEquals(await page.locator("#run tbody tr").count(), 2);
  assertEquals(await page.locator("#as-text pre >> text=first line").count(), 1);
  await open.shoot("execute-done-light");
  assertEquals(await open.violations(), []);
  await page.reload();
  assertEquals(await page.locator("#run tbody tr").count(), 2, "reload keeps the place");
  assertEquals(open.complaints, []);
});

Deno.test("Esc cancels what runs; another page that follows it sees that, too", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  dom0.runs.isHeld = true;
  await using open = await scene.open("/execute?operation=vm.kill&vm=work");
  const { page } = open;
  await page.fill("#v-vm", "work");
  await page.check("#v-sure");
  await page.click("[data-run-form] >> text=Run >> nth=-1");
  await page.waitForSelector("#run >> text=Running");
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.waitForSelector("#run >> text=Running");
  await page.bringToFront();
  await page.keyboard.press("Escape");
  await page.waitForSelector("#run >> text=Cancelled");
  await other.bringToFront();
  await other.waitForSelector("#run >> text=Cancelled");
  assert(dom0.did.some((one) => one.startsWith("cancel ")));
});

Deno.test("a plan's steps change while it runs, and it is undone when it has ended", async () => {
  await using scene = await startBrowser();
  const { dom0, dateMs } = scene.scene;
  makeBusy(dom0, dateMs);
  const [running] = dom0.runs.plans;
  assert(running !== undefined);
  await using open = await scene.open("/plans");
  const { page } = open;
  await page.waitForSelector("#live-state >> text=Live");
  await page.waitForSelector(".steps li[data-key='2'] >> text=Running");
  dom0.runs.plans = [{
    ...running,
    ...{ state: "done" as const, endedMs: dateMs },
    steps: running.steps.map((step) => ({ ...step, state: "done" as const, exit: 0 })),
  }];
  dom0.runs.undo = [{ step: 1, isUndone: false, hasWay: true }];
  dom0.changed();
  await page.waitForSelector(".steps li[data-key='2'] >> text=Done");
  await page.click("text=Undo 1 step");
  await page.waitForSelector("text=Undone, and on record.");
  await page.waitForSelector(".steps li[data-key='1'] >> text=Undone");
  assertEquals(open.complaints, []);
});

Deno.test("a log follows at its top, and goes on at its end; who reads on does not follow", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  dom0.records = Array.from({ length: 400 }, (_, index) => fakeRecord(400 - index));
  await using open = await scene.open("/logs");
  const { page } = open;
  await page.waitForSelector("#live-state >> text=Live");
  dom0.records = [fakeRecord(401), ...dom0.records];
  dom0.changed();
  await page.waitForSelector("#r401");
  await page.keyboard.press("f");
  assertEquals(await page.getAttribute("#follow", "aria-pressed"), "false");
  await page.keyboard.press("f");
  await page.evaluate("scrollTo(0, document.body.scrollHeight)");
  await page.waitForSelector(".chunk", { state: "attached" });
  assertEquals(await page.getAttribute("#follow", "aria-pressed"), "false");
  await page.evaluate("scrollTo(0, document.body.scrollHeight)");
  await page.waitForSelector(".chunk #r302", { state: "attached" });
  assertEquals(await open.violations(), []);
  await page.click("#follow");
  await page.waitForSelector(".chunk", { state: "detached" });
  assertEquals(open.complaints, []);
});
