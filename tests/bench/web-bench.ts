// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make bench-web": what the web admin costs, in chromium. The program itself over a daemon that
 * serves a VM: the first page, the time from an event to the page, the memory while ten tabs follow
 * the log. Long lists over a dom0 in memory. WEB_BENCH_MINUTES says how long the tabs follow.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";
import { dom0Paths } from "../../dom0/settings/paths.ts";
import { install, type Installed } from "../e2e/installed.ts";
import { type Add, startReport, summary } from "./measure.ts";
import { ownMb, rssMb } from "./proc.ts";
import { openPublisher } from "./publisher.ts";
import { startBareChromium } from "./web/bare_chromium.ts";
import { benchFirstPage, benchMenu } from "./web/first_page.ts";
import { benchLive } from "./web/live_updates.ts";
import { benchLists } from "./web/lists.ts";
import { ORIGIN, startWebServer, type WebServer } from "./web/web_server.ts";

const CHROMIUM = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
const TABS = 10;
const MINUTES = Number(Deno.env.get("WEB_BENCH_MINUTES") ?? "0.5");

async function main(): Promise<number> {
  const { add, write } = startReport();
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox"],
  });
  try {
    await using qubes = await install([{ name: "work" }, { name: "lab" }]);
    await qubes.authorize("work");
    const daemon = await qubes.startDaemon(["work"]);
    await using server = await startWebServer(qubes);
    const paths = dom0Paths(qubes.world.dom0Root);
    {
      await using bare = await startBareChromium(CHROMIUM);
      await benchFirstPage(bare, server, add);
      await benchMenu(bare, server, add);
    }
    await benchLive(browser, server, paths, add);
    await benchTabs(browser, { server, qubes }, add);
    await daemon.stop();
    await benchLists(browser, add);
    await write("bench-web.json", { minutes: MINUTES });
    return 0;
  } finally {
    await browser.close();
  }
}

/** A VM asks for something all the time; each request is news for every tab. */
async function benchTabs(
  browser: Browser,
  { server, qubes }: { readonly server: WebServer; readonly qubes: Installed },
  add: Add,
): Promise<void> {
  const context = await server.newContext(browser);
  for (let tab = 0; tab < TABS; tab++) {
    const page = await context.newPage();
    await page.goto(`${ORIGIN}/logs`);
  }
  const publisher = await openPublisher(qubes.world.vmHome("work"), "work");
  const endMs = Date.now() + MINUTES * 60_000;
  const resident: number[] = [];
  const own: number[] = [];
  let requests = 0;
  while (Date.now() < endMs) {
    await publisher.run("true");
    requests++;
    resident.push(rssMb(server.pid));
    own.push(ownMb(server.pid));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  publisher.close();
  await context.close();
  const what = `${TABS} tabs follow the log for ${MINUTES} min, ${requests} requests`;
  add({ name: `memory while ${what}`, value: Math.max(...resident), unit: "MB", goal: 80 });
  add({ name: "of it not the program's own file", value: Math.max(...own), unit: "MB" });
  // A leak goes on to the end; what a program fills once does not.
  const fifth = Math.ceil(own.length / 5);
  for (
    const [when, part] of [["second", own.slice(fifth, 2 * fifth)], [
      "last",
      own.slice(-fifth),
    ]] as const
  ) {
    add({
      name: `the same in the ${when} fifth of the time, p50`,
      value: summary(part).p50,
      unit: "MB",
    });
  }
}

if (import.meta.main) Deno.exit(await main());
