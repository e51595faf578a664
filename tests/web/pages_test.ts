// SPDX-License-Identifier: GPL-2.0-or-later
/** Every page in a browser: nothing wrong by axe-core, nothing sideways, nothing the CSP stops. @module */

import { assert, assertEquals } from "@std/assert";
import { assertFits, DARK, type Look, NARROW, startBrowser, USUAL, WIDE } from "./browser_scene.ts";
import { makeBusy, PAGES } from "./web_world.ts";

const LOOKS: readonly (readonly [name: string, look: Look])[] = [
  ["light", USUAL],
  ["dark", DARK],
  ["narrow", NARROW],
  ["wide", WIDE],
  // 200 %: half as many pixels, each twice as large.
  ["large", { ...USUAL, width: 683, height: 384 }],
];

for (const [name, look] of LOOKS) {
  Deno.test(`each page, ${name}`, async () => {
    await using scene = await startBrowser();
    makeBusy(scene.scene.dom0, scene.scene.dateMs);
    await using open = await scene.open("/", look);
    const found: string[] = [];
    for (const [page, path] of PAGES) {
      await open.go(path);
      await open.shoot(`${page}-${name}`);
      await assertFits(open.page, `${page} ${name}`);
      // In the dark only the colours are others; wide and large have the same parts.
      const rule = name === "dark" ? "color-contrast" : undefined;
      if (name === "wide" || name === "large") continue;
      found.push(...(await open.violations(rule)).map((one) => `${page}: ${one}`));
    }
    assertEquals(found, []);
    assertEquals(open.complaints, []);
  });
}

Deno.test("axe-core finds what is wrong", async () => {
  await using scene = await startBrowser();
  await using open = await scene.open("/");
  await open.page.evaluate(
    "document.querySelector('main').append(document.createElement('input'))",
  );
  assert((await open.violations()).some((one) => one.startsWith("label:")));
});
