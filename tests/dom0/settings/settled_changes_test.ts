// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { type Changes, watchSettled } from "../../../dom0/settings/settled_changes.ts";
import { until, withFolder } from "../fixture.ts";

async function withWatch(
  test: (folder: string, seen: Changes[]) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const seen: Changes[] = [];
    const close = watchSettled(folder, (changes) => seen.push(changes));
    try {
      await test(folder, seen);
    } finally {
      close();
    }
  });
}

const names = (seen: readonly Changes[]): Set<string> =>
  new Set(seen.flatMap((changes) => [...changes.names]));

Deno.test("watchSettled(): names of what changed, several at once", () =>
  withWatch(async (folder, seen) => {
    Deno.writeTextFileSync(`${folder}/a`, "1");
    Deno.writeTextFileSync(`${folder}/b`, "2");
    await until("both are told", () => names(seen).size === 2);
    assertEquals(names(seen), new Set(["a", "b"]));
  }));

Deno.test("watchSettled(): reading a file is no change", () =>
  withWatch(async (folder, seen) => {
    Deno.writeTextFileSync(`${folder}/a`, "1");
    await until("it is told", () => names(seen).has("a"));
    seen.length = 0;
    Deno.readTextFileSync(`${folder}/a`);
    Deno.writeTextFileSync(`${folder}/b`, "2");
    await until("the next is told", () => names(seen).has("b"));
    assert(!names(seen).has("a"));
  }));

Deno.test("watchSettled(): more changes than the watch can tell of are said to be incomplete", () =>
  withWatch(async (folder, seen) => {
    for (let n = 0; n < 200; n++) Deno.writeTextFileSync(`${folder}/${n}`, "x");
    await until("incomplete", () => seen.some(({ incomplete }) => incomplete));
  }));

Deno.test("watchSettled(): goes on after a name that is not UTF-8", () =>
  withWatch(async (folder, seen) => {
    const touch = new Deno.Command("bash", { args: ["-c", `: >"$0"/$'odd\\xff'`, folder] });
    assert((await touch.output()).success);
    await until("it is told of", () => seen.some(({ incomplete }) => incomplete));
    Deno.writeTextFileSync(`${folder}/after`, "x");
    await until("the next is told", () => names(seen).has("after"));
  }));

Deno.test("watchSettled(): a folder that does not exist is not watched", () => {
  watchSettled("/nonexistent/folder", () => {})();
});
