// SPDX-License-Identifier: GPL-2.0-or-later
/** Locks of files, by the real flock(2). @module */

import { assert, assertEquals } from "@std/assert";
import { isLocked, releaseLock, tryLock } from "../../../shared/io/file_lock.ts";

async function withFile(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/lock`;
    await Deno.writeTextFile(path, "");
    await test(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a lock is had once, and whether somebody has it can be asked", () =>
  withFile(async (path) => {
    const held = await Deno.open(path, { write: true });
    assert(await tryLock(held));
    const other = await Deno.open(path, { write: true });
    assertEquals(await tryLock(other), false);
    assertEquals(await isLocked(path), true);
    releaseLock(held);
    assertEquals(await isLocked(path), false);
    assert(await tryLock(other));
    releaseLock(other);
    assertEquals(await isLocked(`${path}.none`), undefined);
  }));

/** Starts processes, one after the other, until it is terminated. */
const STARTING = `
for (let n = 0;; n++) {
  new Deno.Command("/bin/true").outputSync();
  if (n === 0) self.postMessage("started");
}`;

Deno.test("a lock is free as soon as it is given back, whatever this process starts meanwhile", () =>
  withFile(async (path) => {
    const url = `data:application/javascript,${encodeURIComponent(STARTING)}`;
    const worker = new Worker(url, { type: "module" });
    try {
      await new Promise((resolve) => worker.onmessage = resolve);
      for (let n = 0; n < 2_000; n++) {
        const file = Deno.openSync(path, { write: true });
        assert(await tryLock(file), `at the lock number ${n}`);
        releaseLock(file);
      }
    } finally {
      worker.terminate();
    }
  }));
