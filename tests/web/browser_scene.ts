// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The web admin in a real browser: Debian's chromium, driven by playwright-core, over a dom0 in
 * memory. CHROMIUM names another one.
 *
 * @module
 */

import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { assertEquals } from "@std/assert";
import { until } from "../until.ts";
import { makeTicket } from "../../dom0/admin/server/tickets.ts";
import { type AdminScene, startScene } from "../dom0/admin/admin_scene.ts";

export const SHOTS = new URL("../../build/screenshots/", import.meta.url).pathname;

export interface Look {
  readonly theme: "light" | "dark";
  readonly width: number;
  readonly height: number;
}

export const USUAL: Look = { theme: "light", width: 1366, height: 768 };
export const DARK: Look = { ...USUAL, theme: "dark" };
export const NARROW: Look = { theme: "light", width: 360, height: 780 };
export const WIDE: Look = { theme: "light", width: 3440, height: 1440 };

export interface BrowserScene extends AsyncDisposable {
  readonly scene: AdminScene;
  readonly browser: Browser;
  /** A page that came in as a person does: by the address that "open" makes. */
  open(path: string, look?: Look): Promise<OpenPage>;
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  go(path: string): Promise<void>;
  /** Below build/screenshots/. */
  shoot(name: string): Promise<void>;
  /** What axe-core finds against WCAG 2.2 AA, one a line; or by one of its rules only. */
  violations(rule?: string): Promise<readonly string[]>;
  /** What the browser complained of: errors, and what the CSP kept from happening. */
  readonly complaints: string[];
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

export async function startBrowser(): Promise<BrowserScene> {
  const scene = await startScene();
  const browser = await chromium.launch({
    executablePath: Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  await Deno.mkdir(SHOTS, { recursive: true });
  return {
    scene,
    browser,
    open: (path, look = USUAL) => openPage(scene, browser, path, look),
    async [Symbol.asyncDispose]() {
      await browser.close();
      await scene[Symbol.asyncDispose]();
    },
  };
}

async function openPage(
  scene: AdminScene,
  browser: Browser,
  path: string,
  { theme, width, height }: Look,
): Promise<OpenPage> {
  const context = await browser.newContext({
    ...{ colorScheme: theme, viewport: { width, height }, timezoneId: "Europe/Berlin" },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000); // where everything runs at once, a page takes its time
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("401")) {
      complaints.push(message.text());
    }
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  const ticket = await makeTicket(scene.runFolder);
  const date = new Date(scene.dateMs);
  for await (const { name } of Deno.readDir(scene.runFolder)) {
    await Deno.utime(`${scene.runFolder}/${name}`, date, date);
  }
  await page.goto(`${scene.origin}${path}#ticket=${ticket}`);
  await page.waitForSelector(".top");
  await scriptsRun(page);
  return {
    page,
    complaints,
    async go(to) {
      await page.goto(`${scene.origin}${to}`);
      await page.waitForSelector(".top");
    },
    async shoot(name) {
      await page.screenshot({ path: `${SHOTS}${name}.png` });
    },
    async violations(rule) {
      await page.evaluate(axe.source);
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const runOnly = JSON.stringify(rule === undefined ? tags : [rule]);
      const { violations } = await page.evaluate(
        `axe.run({ runOnly: ${runOnly} })`,
      ) as { violations: readonly Violation[] };
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`)
      );
    },
    async [Symbol.asyncDispose]() {
      await context.close();
    },
  };
}

/** Where the machine is busy, a page can be seen before its modules have run: then no key does anything. */
export async function scriptsRun(page: Page): Promise<void> {
  await comesTrue(page, "document.readyState === 'complete'");
}

/** Asked from outside: what asks again inside of the page is kept from it by the CSP. */
export async function comesTrue(page: Page, expression: string): Promise<void> {
  await until(expression, async () => await page.evaluate(expression) === true);
}

/** No page is wider than the window. */
export async function assertFits(page: Page, what: string): Promise<void> {
  const over = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  assertEquals(Number(over) <= 0, true, `${what} scrolls sideways by ${over}`);
}
