// SPDX-License-Identifier: GPL-2.0-or-later
/** Long lists of the web admin, scrolled from the beginning to the end. @module */

import type { Browser, Page } from "playwright-core";
import { type AdminScene, startScene } from "../../dom0/admin/admin_scene.ts";
import { fakeQube, fakeRecord } from "../../dom0/admin/fake_channel.ts";
import { type Add, summary } from "../measure.ts";
import { contextOf } from "./web_server.ts";

const QUBES = 200;
const LINES = 100_000;

/** Frames while a page is scrolled from its beginning to its end. */
export async function benchLists(browser: Browser, add: Add): Promise<void> {
  await using scene = await startScene();
  const { dom0 } = scene;
  for (let number = 0; number < QUBES; number++) {
    const name = `qube-${String(number).padStart(3, "0")}`;
    dom0.qubes.set(name, fakeQube(name, { state: number % 3 === 0 ? "Running" : "Halted" }));
  }
  dom0.records = Array.from({ length: LINES }, (_, index) => fakeRecord(LINES - index));
  const id = await longOutput(scene);
  const { cookie } = await scene.login();
  const context = await contextOf(browser, scene.origin, cookie);
  const page = await context.newPage();
  for (
    const [what, path, place] of [
      [`${QUBES} qubes`, "/qubes?all=1", "document.scrollingElement"],
      [`a record of ${LINES} lines`, "/logs", "document.scrollingElement"],
      [
        `output of ${LINES} lines`,
        `/execute/${id}`,
        "document.getElementById('output')",
      ],
    ] as const
  ) {
    const startMs = performance.now();
    await page.goto(`${scene.origin}${path}`);
    add({ name: `${what}: until it is there`, value: performance.now() - startMs, unit: "ms" });
    const { frames, tasks } = await scrollThrough(page, place);
    const { p99 } = summary(frames);
    add({ name: `${what}: frames while it scrolls, p99`, value: p99, unit: "ms", goal: 50 });
    add({ name: "the longest", value: Math.max(...frames), unit: "ms" });
    add({
      name: "the longest task of the page's",
      value: Math.max(0, ...tasks),
      unit: "ms",
      goal: 50,
    });
  }
  await context.close();
}

async function longOutput({ dom0 }: AdminScene): Promise<string> {
  dom0.runs.isHeld = true;
  const { id } = await dom0.channel.beginShell("seq", "bench");
  const [run] = dom0.runs.all;
  run?.print(
    Array.from({ length: LINES }, (_, index) => `line ${index}, as long as one is`).join("\n"),
  );
  run?.finish();
  return id;
}

interface Scrolled {
  /** The time between each two frames, in ms. */
  readonly frames: readonly number[];
  /** Each task of 50 ms or more, in ms: a browser reports no shorter ones. */
  readonly tasks: readonly number[];
}

async function scrollThrough(page: Page, place: string): Promise<Scrolled> {
  return await page.evaluate(`new Promise((resolve) => {
    const place = ${place};
    const frames = [];
    const tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
      .observe({ type: "longtask" });
    let last = performance.now();
    const step = (now) => {
      frames.push(now - last);
      last = now;
      const before = place.scrollTop;
      place.scrollBy({ top: 400, behavior: "instant" });
      if (frames.length < 600 && (place.scrollTop !== before || frames.length < 30)) requestAnimationFrame(step);
      else resolve({ frames: frames.slice(2), tasks });
    };
    requestAnimationFrame(step);
  })`) as Scrolled;
}
