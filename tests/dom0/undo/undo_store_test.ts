// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import type { UndoRecord } from "../../../dom0/undo/undo_record.ts";
import { createUndoStore } from "../../../dom0/undo/undo_store.ts";
import { modeOf, namesIn, requestId, stoppedClock, withFolder } from "../fixture.ts";

const DAY_MS = 24 * 3600 * 1000;

function record(vm: string, n: number, atMs: number, step: number | null = null): UndoRecord {
  return {
    ...{ vm, id: requestId(n), step, atMs, operation: "vm.tags.add" },
    values: new Map<string, string | number | boolean>([["vm", "work"], ["tag", "größe"], [
      "x",
      true,
    ]]),
    ...{ before: { value: false }, after: null, exitCode: null, status: "kept", stepsBack: 0 },
  };
}

Deno.test("undo store: what is put comes back, by request and by step, in private files", () =>
  withFolder(async (folder) => {
    const { dateMs } = stoppedClock();
    const store = createUndoStore({ folder: `${folder}/undo`, dateMs });
    assertEquals([await store.list(), await store.find(requestId(1))], [[], []]);
    const steps = [10, 2, 1].map((step) => record("work", 1, dateMs(), step));
    for (const one of [...steps, record("my-vm-2", 1, dateMs()), record("work", 2, dateMs())]) {
      await store.put(one);
    }
    const ofOne = await store.find(requestId(1));
    assertEquals(ofOne.filter(({ vm }) => vm === "work"), steps.toReversed());
    assertEquals(ofOne.filter(({ vm }) => vm === "my-vm-2"), [record("my-vm-2", 1, dateMs())]);
    const changed: UndoRecord = { ...record("work", 2, dateMs()), status: "undone", exitCode: 0 };
    await store.put(changed);
    assertEquals(await store.find(requestId(2)), [changed]);
    assertEquals(modeOf(`${folder}/undo`), 0o700);
    for (const name of namesIn(`${folder}/undo`)) {
      assertEquals(modeOf(`${folder}/undo/${name}`), 0o600);
    }
  }));

Deno.test("undo store: what is older than 30 days is no longer there, and goes", () =>
  withFolder(async (folder) => {
    const clock = stoppedClock();
    const store = createUndoStore({ folder, dateMs: clock.dateMs });
    await store.put(record("work", 1, clock.dateMs()));
    clock.advance(10 * DAY_MS);
    await store.put(record("work", 2, clock.dateMs()));
    clock.advance(20 * DAY_MS + 1);
    assertEquals((await store.list()).map(({ id }) => id), [requestId(2)]);
    await store.forgetOld();
    assertEquals(namesIn(folder).length, 1);
  }));

Deno.test("undo store: beyond its number the oldest of the VM that has most goes", () =>
  withFolder(async (folder) => {
    const clock = stoppedClock();
    const store = createUndoStore({ folder, dateMs: clock.dateMs, maxRecords: 10 });
    for (const n of [1, 2, 3]) await store.put(record("lab", n, clock.dateMs() + n));
    for (let n = 4; n < 40; n++) await store.put(record("work", n, clock.dateMs() + n));
    const left = (await store.list()).map(({ vm, id }) => [vm, id]);
    assertEquals(left.slice(0, 3), [1, 2, 3].map((n) => ["lab", requestId(n)]));
    assertEquals(left.slice(3), [33, 34, 35, 36, 37, 38, 39].map((n) => ["work", requestId(n)]));
  }));

Deno.test("undo store: files that are no records, or another's, are not taken for one", () =>
  withFolder(async (folder) => {
    const { dateMs } = stoppedClock();
    const store = createUndoStore({ folder, dateMs });
    await store.put(record("work", 1, dateMs()));
    const good = await Deno.readTextFile(`${folder}/work-${requestId(1)}.json`);
    const bad = [
      "",
      "{",
      "null",
      "[]",
      "{}",
      good.replace('"kept"', '"KEPT"'),
      good.replace("1,", "0,"),
    ];
    for (const [n, text] of bad.entries()) {
      await Deno.writeTextFile(`${folder}/lab-${requestId(n + 2)}.json`, text);
    }
    await Deno.writeTextFile(`${folder}/lab-${requestId(99)}.json`, good); // of work, by what it says
    await Deno.writeTextFile(`${folder}/README`, good);
    assertEquals((await store.list()).map(({ vm }) => vm), ["work"]);
    await store.forgetOld();
    assertEquals(namesIn(folder), ["README", `work-${requestId(1)}.json`]);
  }));
