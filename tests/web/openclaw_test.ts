// SPDX-License-Identifier: GPL-2.0-or-later
/** OpenClaw's page in a browser: a part stopped and started, and the journal. @module */

import { assertEquals } from "@std/assert";
import { startBrowser } from "./browser_scene.ts";

Deno.test("the gateway is restarted in one action, all is stopped, and the Dashboard hears of it", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/openclaw");
  const { page } = open;
  await page.click("text=Restart gateway");
  await page.waitForSelector("text=The gateway of claw is restarted.");
  await page.click("text=Stop all");
  await page.waitForSelector("text=Every part of claw is stopped.");
  await page.waitForSelector("#endpoints >> text=Does not answer");
  await open.go("/");
  await page.waitForSelector("#agent >> text=Does not answer");
  await open.go("/openclaw");
  await page.click("nav.tabs >> text=Logs");
  await page.selectOption("#part", "proxy");
  await page.click("button >> text=Show");
  await page.waitForSelector(".says >> text=proxy: a request of claw, 200");
  assertEquals([...dom0.agent?.parts.values() ?? []], ["inactive", "inactive", "inactive"]);
  assertEquals(open.complaints, []);
});
