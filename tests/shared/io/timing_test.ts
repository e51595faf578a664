// SPDX-License-Identifier: GPL-2.0-or-later
/** Waiting leaves nothing behind. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { aborted, pause, unlessAborted } from "../../../shared/io/timing.ts";

/** A signal that counts who listens. */
function counted() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  Object.assign(signal, {
    addEventListener(...words: Parameters<typeof add>) {
      listeners.add(words[1]);
      add.apply(signal, words);
    },
    removeEventListener(...words: Parameters<typeof remove>) {
      listeners.delete(words[1]);
      remove.apply(signal, words);
    },
  });
  return { signal, abort: () => controller.abort(), listeners: () => listeners.size };
}

Deno.test("a thousand waits under one signal leave no listener", async () => {
  const { signal, listeners } = counted();
  for (let i = 0; i < 1_000; i++) {
    assertEquals(await unlessAborted(signal, Promise.resolve(i)), i);
    const failing = Promise.reject(new Error("it failed"));
    await assertRejects(() => unlessAborted(signal, failing), Error, "it failed");
    if (i % 10 === 0) await pause(0, signal);
  }
  assertEquals(listeners(), 0);
});

Deno.test("the signal ends a wait, whenever it fires", async () => {
  const { signal, abort, listeners } = counted();
  const never = new Promise<string>(() => {});
  const waits = [unlessAborted(signal, never), pause(1e9, signal), aborted(signal)];
  abort();
  assertEquals(await Promise.all(waits), [undefined, undefined, undefined]);
  assertEquals(listeners(), 2, "of aborted() and pause(), which the signal itself forgets");
  assertEquals(await unlessAborted(signal, Promise.resolve("late")), undefined);
  await pause(1e9, signal);
  assert(signal.aborted);
});
