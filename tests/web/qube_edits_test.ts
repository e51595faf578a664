// SPDX-License-Identifier: GPL-2.0-or-later
/** A qube's firewall and devices, in a browser. @module */

import { assertEquals } from "@std/assert";
import { assertFits, startBrowser } from "./browser_scene.ts";

Deno.test("a rule goes and one comes as staged changes; a device is attached at once", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/qubes/work");
  const { page } = open;
  await page.click("text=Add a rule");
  await page.fill("#rule-dsthost", "192.0.2.17");
  await page.selectOption("#rule-proto", "tcp");
  await page.fill("#rule-dstports", "22");
  await page.selectOption("#rule-at", "1");
  await assertFits(page, "the form of a rule");
  await page.click("#firewall button:text-is('Stage')");
  await page.waitForSelector("#firewall >> text=added before 1");
  await page.click("#firewall tr[data-key='0'] >> text=Remove");
  await page.waitForSelector("#firewall >> text=goes");
  await open.shoot("qube-staged-light");
  await page.click("text=Review and apply");
  await page.click("text=Apply 2 changes");
  await page.waitForSelector("text=2 changes were applied.");
  assertEquals(dom0.qubes.get("work")?.rules.map(({ action, dsthost }) => dsthost ?? action), [
    "192.0.2.17",
    "drop",
  ]);
  await open.go("/qubes/work");
  await page.check("#devices tr[data-key='sys-usb:sda'] >> text=read-only");
  await page.click("#devices tr[data-key='sys-usb:sda'] >> text=Attach");
  await page.waitForSelector("#devices tr[data-key='sys-usb:sda'] >> text=Detach");
  assertEquals(
    dom0.devices.find(({ device }) => device === "sys-usb:sda")?.used_by,
    "work (attached)",
  );
  assertEquals(open.complaints, []);
});
