// SPDX-License-Identifier: GPL-2.0-or-later
/** The drawings of the README: whole, for light and dark, legible on a phone, and true in their names. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { PROGRAMS } from "../shared/packaging/programs.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => Deno.readTextFileSync(new URL(path, ROOT));
const FOLDER = ".github/drawings";
const DRAWINGS = [...Deno.readDirSync(new URL(FOLDER, ROOT))].map(({ name }) => name).toSorted();

/** A phone's page is 360 pixels wide, and its margins are 16 each. */
const PHONE_PX = 328;
const LEAST_PX = 9.8;

Deno.test("the README shows each drawing, and says in words what is on it", () => {
  const shown = [...read("README.md").matchAll(/^!\[(.*)\]\(\.github\/drawings\/(.*)\)$/gm)];
  assertEquals(shown.map(([, , name = ""]) => name).toSorted(), DRAWINGS);
  assert(DRAWINGS.length >= 3);
  for (const [, text = "", name] of shown) assert(text.length > 80, `${name}: ${text}`);
});

for (const name of DRAWINGS) {
  const text = read(`${FOLDER}/${name}`);

  Deno.test(`${name}: a picture alone, with a title, in both schemes, legible at 360 pixels`, () => {
    assertMatch(text, /<title id="title">.+<\/title>\s*<desc id="about">.+<\/desc>/);
    assertMatch(text, /@media \(prefers-color-scheme: dark\)/);
    assertEquals(text.match(/<script|<foreignObject|href=|url\((?!#)|\bon[a-z]+=/g), null);
    const width = Number(/viewBox="0 0 (\d+) \d+"/.exec(text)?.[1]);
    const sizes = [...text.matchAll(/font(?:-size)?: (\d+)px/g)].map(([, size]) => Number(size));
    assert(sizes.length >= 3, sizes.join());
    const smallest = Math.min(...sizes) * PHONE_PX / width;
    assert(smallest >= LEAST_PX, `text of ${smallest.toFixed(1)} pixels on a phone`);
    // Each class that colours something does so in the dark, too.
    const [light = "", dark = ""] = text.split("@media");
    const coloured = (style: string): readonly string[] =>
      [...style.matchAll(/^\s+(\.[a-z0-9]+)[^{]*\{ [^}]*#/gm)].map(([, one = ""]) => one)
        .toSorted();
    assertEquals(coloured(dark.slice(0, dark.indexOf("</style>"))), coloured(light));
  });

  Deno.test(`${name}: its boxes lie inside`, () => {
    const [, width, height] = (/viewBox="0 0 (\d+) (\d+)"/.exec(text) ?? []).map(Number);
    for (
      const [, x, y, w, h] of text.matchAll(
        /<rect class="[^"]*" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"/g,
      )
    ) {
      assert(Number(x) + Number(w) <= (width ?? 0), `${x}+${w}`);
      assert(Number(y) + Number(h) <= (height ?? 0), `${y}+${h}`);
    }
  });
}

Deno.test("what a drawing names is there: programs, frames of the protocol", () => {
  const code = (name: string): readonly string[] =>
    [...read(`${FOLDER}/${name}.svg`).matchAll(/<text class="code[^>]*>([^<]*)</g)]
      .map(([, text = ""]) => text);
  const frames = new Set(
    [...read("shared/protocol/PROTOCOL.md").matchAll(/^\| `0x..` \| `([a-z0-9-]+)`/gm)]
      .map(([, name = ""]) => name),
  );
  const said = code("protocol").filter((text) => /^[a-z]+(, [a-z]+)*$/.test(text))
    .flatMap((text) => text.split(", "));
  assertEquals(said.filter((word) => !frames.has(word)), []);
  assert(said.length >= 7, said.join());
  const programs = new Set(PROGRAMS.map(({ name }) => name));
  const named = code("layers").map((text) => text.split(/[ ,]/)[0] ?? "")
    .filter((word) => word !== "OpenClaw" && word !== "tunnel");
  assertEquals(named.filter((word) => !programs.has(word)), []);
  assert(named.length >= 5, named.join());
});
