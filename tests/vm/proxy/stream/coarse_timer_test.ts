// SPDX-License-Identifier: GPL-2.0-or-later
/** Many waits on one timer: none early, none lost, none after it was taken back. @module */

import { assert, assertEquals } from "@std/assert";
import { after } from "../../../../vm/proxy/stream/coarse_timer.ts";

/** While it runs no time passes: all waits begin at once, however busy the machine is. */
function atOnce(begin: () => void): void {
  const real = performance.now;
  const at = performance.now();
  performance.now = () => at;
  try {
    begin();
  } finally {
    performance.now = real;
  }
}

Deno.test("waits come to their end in order, never early; one that is taken back never does", async () => {
  const began = performance.now();
  const ended: string[] = [];
  await new Promise<void>((resolve) =>
    atOnce(() => {
      after(60, () => ended.push("second"));
      const takeBack = after(11, () => ended.push("taken back"));
      after(10, () => {
        ended.push("first");
        takeBack();
      });
      after(5000, () => ended.push("never"))();
      after(120, () => {
        ended.push("third");
        after(0, () => {
          ended.push("from within");
          resolve();
        });
      });
    })
  );
  const tookMs = performance.now() - began;
  assertEquals(ended, ["first", "second", "third", "from within"]);
  assert(tookMs >= 120, `${tookMs} ms`);
  await new Promise((resolve) => setTimeout(resolve, 60)); // it stops by itself: no timer leaks
});

Deno.test("a tick that is late runs what was due in the order in which it was due", async () => {
  const ended: string[] = [];
  await new Promise<void>((resolve) => {
    atOnce(() => {
      after(9, () => {
        ended.push("third, last");
        resolve();
      });
      const takeBack = after(7, () => ended.push("taken back by one before it"));
      after(6, () => {
        ended.push("second");
        takeBack();
      });
      after(3, () => ended.push("first"));
    });
    const began = performance.now();
    while (performance.now() < began + 60); // nothing else runs: all of them are late
  });
  assertEquals(ended, ["first", "second", "third, last"]);
});
