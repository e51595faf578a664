// SPDX-License-Identifier: GPL-2.0-or-later
/** Every page in a browser where there is nothing, and where every text is hostile. @module */

import { assertEquals } from "@std/assert";
import { assertFits, startBrowser } from "./browser_scene.ts";
import { makeEmpty, makeHostile, PAGES } from "./web_world.ts";

for (const [name, fill] of [["empty", makeEmpty], ["hostile", makeHostile]] as const) {
  Deno.test(`each page, ${name}`, async () => {
    await using scene = await startBrowser();
    fill(scene.scene.dom0, scene.scene.dateMs);
    await using open = await scene.open("/");
    const found: string[] = [];
    let alerts = 0;
    open.page.on("dialog", (dialog) => {
      alerts++;
      void dialog.dismiss();
    });
    for (const [page, path] of PAGES) {
      await open.go(path);
      await open.shoot(`${page}-${name}`);
      await assertFits(open.page, `${page} ${name}`);
      found.push(...(await open.violations()).map((one) => `${page}: ${one}`));
      const injected = await open.page.evaluate(
        "document.querySelectorAll('main script, main img, main [onerror]').length",
      );
      assertEquals(injected, 0, page);
    }
    assertEquals([found, open.complaints, alerts], [[], [], 0]);
  });
}

Deno.test("where the server's clock is slow, what is over for the browser loads no page again and again", async () => {
  await using scene = await startBrowser();
  scene.scene.dateMs = Date.now() - 3600_000;
  await using open = await scene.open("/sessions");
  const { page } = open;
  await page.fill("#word", "elevate");
  await page.click("#elevate-go");
  await page.waitForSelector('.notice .left:text-is("00:00")');
  let loads = 0;
  page.on("load", () => loads++);
  await page.waitForTimeout(2_500); // two turns of the countdown
  assertEquals(loads, 0);
  assertEquals(open.complaints, []);
});
