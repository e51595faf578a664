// SPDX-License-Identifier: GPL-2.0-or-later
/** How long something new takes to the page that a person has open. @module */

import type { Browser } from "playwright-core";
import type { Paths } from "../../../dom0/settings/paths.ts";
import { type Add, summary } from "../measure.ts";
import { ORIGIN, type WebServer } from "./web_server.ts";

/** Half of them requests that arrive, half requests that go. */
const EVENTS = 240;
/** Events do not wait for the server to be at rest, nor always find it so. */
const MOST_PAUSE_MS = 250;

/** When each message came, and each title was set; beside what the page does by itself. */
const LISTEN = `
  globalThis.messages = [];
  globalThis.titles = [];
  new BroadcastChannel("global-admin-live").addEventListener("message", () => messages.push(Date.now()));
  new MutationObserver(() => titles.push([document.title, Date.now()]))
    .observe(document.querySelector("title"), { childList: true, characterData: true, subtree: true });`;

/** From the daemon's file to the number in the title of an open page. */
export async function benchLive(
  browser: Browser,
  server: WebServer,
  { parkedFolder }: Pick<Paths, "parkedFolder">,
  add: Add,
): Promise<void> {
  const context = await server.newContext(browser);
  const page = await context.newPage();
  await page.goto(`${ORIGIN}/approvals`);
  await page.waitForSelector("#live-state >> text=Live");
  await page.evaluate(LISTEN);
  const file = `${parkedFolder}/work-20261128-143140-1-00000001.json`;
  const told: number[] = [];
  const shown: number[] = [];
  for (let event = 0; event < EVENTS; event++) {
    const isThere = event % 2 === 0;
    const atMs = Date.now();
    if (isThere) {
      await Deno.writeTextFile(`${file}.new`, JSON.stringify(PARKED));
      await Deno.rename(`${file}.new`, file);
    } else await Deno.remove(file);
    await page.waitForSelector(`.vitals >> text=${isThere ? 1 : 0} waiting`);
    const [toldMs, shownMs] = await page.evaluate(`[
      messages.find((ms) => ms >= ${atMs}),
      titles.find(([title, ms]) => ms >= ${atMs} && title.startsWith("(") === ${isThere})[1],
    ]`) as readonly [number, number];
    told.push(toldMs - atMs);
    shown.push(shownMs - atMs);
    await page.waitForTimeout(Math.random() * MOST_PAUSE_MS);
  }
  await context.close();
  const { p50, p99 } = summary(shown);
  add({ name: `live: ${EVENTS} events, until the page shows it, p50`, value: p50, unit: "ms" });
  add({ name: "the same, p99", value: p99, unit: "ms", goal: 100 });
  add({ name: "of it until the browser is told, p50", value: summary(told).p50, unit: "ms" });
  add({ name: "the same, p99", value: summary(told).p99, unit: "ms" });
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
