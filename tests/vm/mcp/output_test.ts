// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import {
  MAX_OUTPUT_BYTES,
  readErrors,
  readExcerpt,
  readWhole,
  visibleValue,
} from "../../../vm/mcp/output.ts";

async function withFile(bytes: Uint8Array | string, look: (path: string) => void): Promise<void> {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  try {
    look(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("short output is whole, with what steers made visible", async () => {
  await withFile("a\u202eb\x1b[1m\n", (path) =>
    assertEquals(readExcerpt(path, 0), {
      text: "a\\u{202e}b^[[1m\n",
      totalBytes: 10,
      nextOffset: null,
    }));
  assertEquals(readExcerpt("/nowhere", 0), { text: "", totalBytes: 0, nextOffset: null });
});

Deno.test("long output is read on to its last byte, whatever is in it", async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join("");
  await withFile(lines, (path) => {
    const first = readExcerpt(path, 0);
    assert(first.text.length < MAX_OUTPUT_BYTES + 100 && first.text.endsWith("19999\n"));
    let text = first.text.slice(0, first.nextOffset ?? 0);
    for (let at = first.nextOffset; at !== null;) {
      const more = readExcerpt(path, at);
      assert(more.text.length <= MAX_OUTPUT_BYTES);
      text += more.text;
      at = more.nextOffset;
    }
    assertEquals(text, lines);
  });
  for (const filler of [1, 0x9b, 0xff]) {
    await withFile(new Uint8Array(200_000).fill(filler), (path) => {
      let rounds = 0;
      for (let at: number | null = 0; at !== null; rounds++) {
        const excerpt = readExcerpt(path, at);
        assert(excerpt.text.length < MAX_OUTPUT_BYTES + 100);
        at = excerpt.nextOffset;
      }
      assert(rounds < 100);
    });
  }
});

Deno.test("the end of long output is its end, with colours in it, too", async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `\x1b[32mok\x1b[0m ${i}\n`).join("");
  await withFile(`${lines}\x1b[31mFAILED\x1b[0m\n`, (path) => {
    const { text, totalBytes, nextOffset } = readExcerpt(path, 0);
    assert(text.endsWith("^[[32mok^[[0m 19999\n^[[31mFAILED^[[0m\n"), text.slice(-200));
    const [, leftOut] = /\[\.\.\. (\d+) bytes left out/.exec(text) ?? [];
    const [, tail = ""] = text.split(" bytes left out ...]\n");
    const tailBytes = tail.replaceAll("^[", "\x1b").length;
    assertEquals((nextOffset ?? 0) + Number(leftOut) + tailBytes, totalBytes);
  });
});

Deno.test("of long errors the beginning and the end are told, where it stands what failed", async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `warning ${i}\n`).join("");
  await withFile(`first\n${lines}fatal\u202e\n`, (path) => {
    const told = readErrors(path);
    assert(told.startsWith("first\nwarning 0\n") && told.endsWith("\nfatal\\u{202e}"), told);
    assert(told.length < 4_100 && told.includes("left out"), `${told.length}`);
  });
  await withFile(" short\n", (path) => assertEquals(readErrors(path), "short"));
});

Deno.test("a value is read whole or not at all, and its text steers nothing", async () => {
  await withFile("x".repeat(MAX_OUTPUT_BYTES + 1), (path) => assertEquals(readWhole(path), null));
  await withFile(new Uint8Array([0xff]), (path) => assertEquals(readWhole(path), null));
  await withFile("[1]", (path) => assertEquals(readWhole(path), "[1]"));
  assertEquals(visibleValue({ "a\u202e": ["\x1b", 1, null, { b: "c" }] }), {
    "a\\u{202e}": ["^[", 1, null, { b: "c" }],
  });
  const deep = JSON.parse("[".repeat(5000) + "]".repeat(5000));
  assert(JSON.stringify(visibleValue(deep)).length < 100);
});
