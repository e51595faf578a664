// SPDX-License-Identifier: GPL-2.0-or-later
/** Letting a VM in, in a browser: from the list to the comparison to the list. @module */

import { assert, assertEquals } from "@std/assert";
import { FINGERPRINT } from "../dom0/admin/fake_channel.ts";
import { startBrowser } from "./browser_scene.ts";

Deno.test("a VM is let in by keyboard and mouse, and out again with its name", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/keys");
  const { page } = open;
  await page.selectOption("#new-vm", "ai-build-1");
  await page.click("text=Compare its key");
  await page.waitForSelector(`.fingerprint >> text=${FINGERPRINT}`);
  await page.click("text=Authorise ai-build-1");
  await page.waitForSelector("text=Not authorised: compare the fingerprint");
  await page.check("text=I compared them");
  assert(await page.isDisabled("[name=grant][value=full]"));
  await page.check("[name=grant][value=monitor]");
  await page.fill("#scope", "ai");
  await page.click("text=Authorise ai-build-1");
  await page.waitForSelector("text=ai-build-1 is authorised");
  await page.click("tr[data-key=work] >> text=Revoke…");
  assert(await page.isDisabled("#revoke-go-work"));
  await page.keyboard.type("work");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=The key of work is gone");
  assertEquals(dom0.did.filter((one) => /^(authorize|revoke)/.test(one)), [
    `authorize ai-build-1 ${FINGERPRINT} monitor @tag:ai v2 by web s-1`,
    "revoke work by web s-1",
  ]);
  assertEquals(open.complaints, []);
});
