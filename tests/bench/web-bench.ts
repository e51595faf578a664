// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make bench-web": what the web admin costs, in chromium. The program itself over a daemon that
 * serves a VM: the first page, the time from an event to the page, the memory while ten tabs follow
 * the log. Long lists over a dom0 in memory. WEB_BENCH_MINUTES says how long the tabs follow.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";
import { dom0Paths, type Paths } from "../../dom0/settings/paths.ts";
import { install, type Installed } from "../e2e/installed.ts";
import { type Add, startReport, summary } from "./measure.ts";
import { ownMb, rssMb } from "./proc.ts";
import { openPublisher } from "./publisher.ts";
import { startBareChromium } from "./web/bare_chromium.ts";
import { benchFirstPage, benchMenu } from "./web/first_page.ts";
import { benchLists } from "./web/lists.ts";
import { ORIGIN, startWebServer, type WebServer } from "./web/web_server.ts";

const CHROMIUM = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
const ROUNDS = 30;
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

/** From the daemon's file to the number in the title of an open page. */
async function benchLive(
  browser: Browser,
  server: WebServer,
  { parkedFolder }: Paths,
  add: Add,
): Promise<void> {
  const context = await server.newContext(browser);
  const page = await context.newPage();
  await page.goto(`${ORIGIN}/approvals`);
  await page.waitForSelector("#live-state >> text=Live");
  await page.evaluate(`globalThis.changes = []; new MutationObserver(() =>
    changes.push([document.title, Date.now()])
  ).observe(document.querySelector("title"), { childList: true, characterData: true, subtree: true })`);
  const file = `${parkedFolder}/work-20261128-143140-1-00000001.json`;
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const isThere = round % 2 === 0;
    const atMs = Date.now();
    if (isThere) {
      await Deno.writeTextFile(`${file}.new`, JSON.stringify(PARKED));
      await Deno.rename(`${file}.new`, file);
    } else await Deno.remove(file);
    await page.waitForSelector(`.vitals >> text=${isThere ? 1 : 0} waiting`);
    const last = await page.evaluate("changes.at(-1)[1]");
    times.push(Number(last) - atMs);
    await page.waitForTimeout(100);
  }
  const { p50, p99 } = summary(times);
  add({ name: "live: from the event to the page, p50", value: p50, unit: "ms", goal: 100 });
  add({ name: "the same, p99", value: p99, unit: "ms" });
  await context.close();
}

const PARKED = {
  number: 1,
  vm: "work",
  id: "20261128-143140-1-00000001",
  hash: "0".repeat(64),
  parkedAtMs: Date.now(),
  expiresAtMs: Date.now() + 3600_000,
  operation: "vm.start",
  level: "manage",
  summary: "Start a qube",
  targets: ["lab"],
  rule: "50-work.policy:1",
  why: null,
  timeoutMs: 300_000,
  argvs: [["qvm-start", "lab"]],
  steps: null,
  destructive: false,
  grantable: "like",
  undo: "",
  preview: { rows: [], unknown: [] },
  brings: null,
};

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
}

if (import.meta.main) Deno.exit(await main());
