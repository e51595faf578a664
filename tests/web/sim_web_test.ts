// SPDX-License-Identifier: GPL-2.0-or-later
/** What "make sim-web" shows: each page of it has life, over the real daemon in the simulated Qubes. */

import { assert, assertEquals } from "@std/assert";
import { chromium } from "playwright-core";
import { startSimWeb } from "../e2e/sim-web.ts";
import { FIRST, WISHES } from "../e2e/sim_web_world.ts";
import { until } from "../until.ts";
import { SHOTS } from "./browser_scene.ts";

/** The daemon reads what it needs first; then nothing is missing. */
const LIMIT_MS = 10_000;
/** What each page shows, in words that only life brings. */
const PAGES: readonly (readonly [path: string, shows: readonly RegExp[]])[] = [
  ["/", [/claw/, /Daemon running/]],
  ["/plans", [/Failed/, /Done/, /vm\.create/, /Halted\s+Running/]],
  ["/logs", [/connected|plan/]],
  ["/undo", [/vm\.(tags\.add|prefs\.set|start)/]],
  ["/qubes", [/sys-firewall/, /ai-build-2/]],
  ["/qubes/ai-build-1", [/nightly/, /maxmem/]],
  ["/network", [/sys-net/, /untrusted/]],
  ["/execute", [/Choose an operation/]],
  ["/files?path=/usr/share", [/doc/, /Copy files to/, /How a VM asks for it/]],
  ["/files?vm=work", [/Documents/, /report\.txt/, /Copy to dom0/]],
  ["/keys", [/claw/, /work/]],
  ["/policy", [/50-claw\.policy/]],
  ["/policy?new=own", [/A new file/]],
  ["/qrexec?file=50-openclaw.policy", [/openclaw\.Mux/]],
  ["/openclaw", [/proxy/, /gateway/, /gpt-6-sol/]],
  ["/backup", [/Free/]],
  ["/configuration", [/remote\.conf/, /are good/]],
  ["/global", [/default_netvm|updatevm/, /Xen/, /debian-13/]],
  ["/sessions", [/this one/]],
];

Deno.test("make sim-web: each page has something to show, and a plan that waits is approved", async () => {
  await using sim = await startSimWeb(0);
  const browser = await chromium.launch({
    executablePath: Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  try {
    for (const wish of FIRST) await sim.ask(wish);
    const [plan] = WISHES;
    assert(plan !== undefined);
    const asked = sim.ask(plan);
    const page = await browser.newPage({ viewport: { width: 1366, height: 900 } });
    page.setDefaultTimeout(60_000);
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(await sim.newLogin("/approvals"));
    await page.waitForSelector("text=A larger build qube");
    await page.screenshot({ path: `${SHOTS}sim-approvals.png` });
    await page.click("button >> text=Approve once");
    await asked;
    const found: string[] = [];
    for (const [path, shows] of PAGES) {
      const address = new URL(path, page.url()).href;
      let text = "";
      await until(`${path} shows ${shows}`, async () => {
        await page.goto(address);
        text = await page.innerText("body");
        return shows.every((words) => words.test(text));
      }, LIMIT_MS).catch(() =>
        found.push(`${path} does not show ${shows.join(" ")}: ${text.slice(0, 3_000)}`)
      );
      if (/Cannot be read/.test(text)) found.push(`${path}: ${text.slice(0, 2_000)}`);
      const name = path.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "dashboard";
      await page.screenshot({ path: `${SHOTS}sim-${name}.png`, fullPage: true });
    }
    assertEquals(found, [], "all of it can be read");
    assertEquals(complaints, []);
  } finally {
    await browser.close();
  }
});
