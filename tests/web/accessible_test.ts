// SPDX-License-Identifier: GPL-2.0-or-later
/** What a screen reader is told, by the browser's own tree: names, roles, landmarks, on narrow screens too. @module */

import { assert, assertEquals } from "@std/assert";
import { type BrowserScene, NARROW, type OpenPage, startBrowser, USUAL } from "./browser_scene.ts";
import { makeBusy, PAGES } from "./web_world.ts";

interface Node {
  readonly role: string;
  readonly name: string;
  readonly description: string;
}

interface RawNode {
  readonly ignored: boolean;
  readonly role?: { readonly value: string };
  readonly name?: { readonly value: string };
  readonly description?: { readonly value: string };
}

async function treeOf({ page }: OpenPage): Promise<readonly Node[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  return (nodes as readonly RawNode[]).filter(({ ignored }) => !ignored).map((
    { role, name, description },
  ) => ({
    role: role?.value ?? "",
    name: (name?.value ?? "").trim(),
    description: description?.value ?? "",
  }));
}

/** What is used, and so must say what it is. */
const NAMED = new Set([
  ...["button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "dialog"],
  ...["heading", "img", "table", "navigation", "spinbutton", "Pre"],
]);
/** Tables here have their heading around them; a decorative frame has no name to have. */
const BY_CONTEXT = new Set(["table", "Pre"]);

async function withBusy(run: (scene: BrowserScene) => Promise<void>): Promise<void> {
  await using scene = await startBrowser();
  makeBusy(scene.scene.dom0, scene.scene.dateMs);
  await run(scene);
}

Deno.test("each page has one heading of its own, a main part, navigation with names, and nothing without a name", async () => {
  await withBusy(async (scene) => {
    await using open = await scene.open("/", USUAL);
    const found: string[] = [];
    for (const [name, path] of PAGES) {
      await open.go(path);
      const tree = await treeOf(open);
      const count = (role: string): number => tree.filter((node) => node.role === role).length;
      assertEquals([count("main"), await open.page.locator("h1").count()], [1, 1], name);
      assert(tree.some(({ role, name }) => role === "navigation" && name === "Pages"), name);
      const nameless = tree.filter((node) =>
        NAMED.has(node.role) && !BY_CONTEXT.has(node.role) && node.name === ""
      );
      found.push(...nameless.map(({ role }) => `${name}: ${role}`));
    }
    assertEquals(found, []);
  });
});

Deno.test("two buttons of one page that say the same do the same, or name what they do it to", async () => {
  await withBusy(async (scene) => {
    await using open = await scene.open("/keys", USUAL);
    for (const path of ["/keys", "/qubes", "/openclaw", "/sessions", "/qubes/work"]) {
      await open.go(path);
      const names = (await treeOf(open)).filter(({ role }) => role === "button").map(({ name }) =>
        name
      );
      assert(names.length > 2, `${path}: ${names.length} buttons`);
      const twice = names.filter((name, index) => names.indexOf(name) !== index);
      assertEquals(twice, [], path);
    }
  });
});

Deno.test("where rows are cards they are still rows with their cells and headings", async () => {
  await withBusy(async (scene) => {
    const roles = async (open: OpenPage): Promise<Readonly<Record<string, number>>> => {
      const tree = await treeOf(open);
      const count = (role: string): number => tree.filter((node) => node.role === role).length;
      return { row: count("row"), cell: count("cell"), rowheader: count("rowheader") };
    };
    await using narrow = await scene.open("/qubes", NARROW);
    await narrow.go("/qubes");
    const { row = 0, cell = 0, rowheader = 0 } = await roles(narrow);
    assert(row >= scene.scene.dom0.qubes.size, `${row} rows`);
    assertEquals(rowheader, scene.scene.dom0.qubes.size);
    assert(cell >= 4 * rowheader, `${cell} cells`);
  });
});

Deno.test("an approval by ear: the dialog names itself, its field has the label, and what happened is announced", async () => {
  await withBusy(async (scene) => {
    await using open = await scene.open("/approvals", USUAL);
    const { page } = open;
    await page.waitForSelector("#live-state >> text=Live");
    await page.keyboard.press("d");
    await page.waitForSelector("dialog#deny[open]");
    const tree = await treeOf(open);
    const dialog = tree.find(({ role }) => role === "dialog");
    assert(dialog !== undefined && dialog.name !== "", "the dialog has a name");
    const field = tree.find(({ role }) => role === "textbox");
    assert(field !== undefined && field.name !== "", "and its field a label");
    await page.keyboard.type("not now");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[role=status] >> text=Denied");
  });
});
