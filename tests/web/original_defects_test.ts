// SPDX-License-Identifier: GPL-2.0-or-later
/** What was wrong with the original's panel and shows in a browser only, a test for each, named after it. */

import { assertEquals } from "@std/assert";
import { scriptsRun, startBrowser } from "./browser_scene.ts";
import { makeBusy, makeHostile, PAGES } from "./web_world.ts";

Deno.test("W9, W10: a deep link leads to a page whose scripts run and whose ids are each there once", async () => {
  await using scene = await startBrowser();
  makeBusy(scene.scene.dom0, scene.scene.dateMs);
  await using open = await scene.open("/");
  const { page } = open;
  for (const [, path] of PAGES) {
    await open.go(`${path}#log`);
    await scriptsRun(page);
    await page.keyboard.press("Control+k");
    await page.waitForSelector("dialog#palette[open]");
    const twice = await page.evaluate(`(() => {
      const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
      return ids.filter((id, index) => ids.indexOf(id) !== index);
    })()`);
    assertEquals(twice, [], path);
  }
  assertEquals(open.complaints, []);
});

Deno.test("W20: names full of quotes and HTML run nothing, on no page", async () => {
  await using scene = await startBrowser();
  makeHostile(scene.scene.dom0, scene.scene.dateMs);
  await using open = await scene.open("/");
  const { page } = open;
  await page.addInitScript("globalThis.alert = () => { globalThis.ran = true; };");
  for (const [, path] of PAGES) {
    await open.go(path);
    await scriptsRun(page);
    const found = await page.evaluate(`({
      ran: globalThis.ran === true,
      inline: document.querySelectorAll("script:not([src])").length,
      images: document.querySelectorAll("img").length,
      handlers: [...document.querySelectorAll("*")].flatMap((one) =>
        one.getAttributeNames().filter((name) => name.startsWith("on"))),
    })`);
    assertEquals(found, { ran: false, inline: 0, images: 0, handlers: [] }, path);
  }
  assertEquals(open.complaints, [], "the CSP had nothing to stop");
});

Deno.test("W12: a change that fails is said where it was applied, and is still on the list", async () => {
  await using scene = await startBrowser();
  await using open = await scene.open("/qubes/work?edit=memory");
  const { page } = open;
  await page.fill("#value", "refused");
  await page.keyboard.press("Enter");
  await page.click("text=Review and apply");
  await page.click("button >> text=Apply 1 change");
  await page.waitForSelector("text=Invalid value");
  await open.go("/staged");
  await page.waitForSelector("button >> text=Apply 1 change");
  assertEquals(scene.scene.dom0.qubes.get("work")?.prefs.get("memory"), "400");
});

Deno.test("W13: leaving the page ends its stream, and what runs is found again and ended", async () => {
  await using scene = await startBrowser();
  const { runs } = scene.scene.dom0;
  runs.isHeld = true;
  await using open = await scene.open("/execute?operation=vm.list");
  const { page } = open;
  await page.focus("[data-run-form] button");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#run >> text=Running");
  runs.all[0]?.print("as it goes\n");
  await page.waitForSelector("#output >> text=as it goes");
  await open.go("/qubes");
  await open.go("/execute");
  await page.click("#runs >> text=Open");
  await page.waitForSelector("#run >> text=Running");
  await page.click("#run >> text=Cancel");
  await page.waitForSelector("#run >> text=Cancelled");
});
