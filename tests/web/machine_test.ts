// SPDX-License-Identifier: GPL-2.0-or-later
/** Backup, Global, Qrexec policies and a long list of qubes, in a browser. @module */

import { assert, assertEquals } from "@std/assert";
import { fakeQube } from "../dom0/admin/fake_channel.ts";
import { startBrowser } from "./browser_scene.ts";

Deno.test("a backup is begun, and followed where it runs", async () => {
  await using scene = await startBrowser();
  await using open = await scene.open("/backup");
  const { page } = open;
  await page.fill("#location", "/mnt/backup");
  await page.fill("#passphrase_file", "/root/backup-passphrase");
  await page.click("button >> text=Back up");
  await page.waitForURL("**/execute/**");
  await page.waitForSelector("#run >> text=backup.start");
  assertEquals(scene.scene.dom0.did.filter((one) => one.startsWith("run")), [
    'run backup.start {"passphrase_file":"/root/backup-passphrase","location":"/mnt/backup"} by web s-1',
  ]);
  assertEquals(open.complaints, []);
});

Deno.test("a global property is edited in place and staged; updates are looked for in one action", async () => {
  await using scene = await startBrowser();
  await using open = await scene.open("/global");
  const { page } = open;
  await page.click("text=Edit default_netvm");
  await page.fill("#value", "sys-vpn");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".bar >> text=1 staged change");
  await page.waitForSelector("#prefs >> text=Staged");
  await page.click("text=Look for updates");
  await page.waitForSelector("#run >> text=update.check");
  assertEquals(open.complaints, []);
});

Deno.test("a call is described, and the rule that decides it is marked in its file", async () => {
  await using scene = await startBrowser();
  await using open = await scene.open("/qrexec");
  const { page } = open;
  await page.selectOption("#source", "work");
  await page.fill("#service", "openclaw.Mux+32125");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#verdict >> text=allow");
  await page.waitForSelector("mark >> text=openclaw.Mux");
  assertEquals(await page.inputValue("#service"), "openclaw.Mux+32125", "it can be asked again");
  assertEquals(open.complaints, []);
});

Deno.test("of 208 qubes one is found by typing, one on the next page is started, and all fit one page", async () => {
  await using scene = await startBrowser();
  const { qubes } = scene.scene.dom0;
  for (let index = 0; qubes.size < 208; index++) {
    const name = `sandbox-${String(index).padStart(3, "0")}`;
    qubes.set(name, fakeQube(name));
  }
  await using open = await scene.open("/qubes");
  const { page } = open;
  assertEquals(await page.locator("tbody tr").count(), 100);
  await page.click("text=Next");
  await page.waitForURL("**/qubes?page=2");
  const row = page.locator("tbody tr").first();
  const name = await row.getAttribute("data-key");
  await row.locator("text=Start").click();
  await page.waitForSelector(`text=${name} starts.`);
  assert(page.url().endsWith("/qubes?page=2"), "the place is kept");
  await page.click("text=All on one page");
  await page.waitForURL("**/qubes?all=1");
  assertEquals(await page.locator("tbody tr").count(), 208);
  await page.fill("#text", "sandbox-150");
  await page.keyboard.press("Enter");
  await page.waitForURL("**text=sandbox-150**");
  assertEquals(await page.locator("tbody tr").count(), 1);
  assertEquals(open.complaints, []);
});
