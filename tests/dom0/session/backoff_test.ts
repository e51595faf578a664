// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createBackoff, type SessionEnd } from "../../../dom0/session/backoff.ts";

const NONE: SessionEnd = { kind: "no-connection" };
const VIOLATION: SessionEnd = { kind: "violation" };
const lost = (lastedMs: number): SessionEnd => ({ kind: "lost", lastedMs });

const CASES:
  readonly (readonly [name: string, ends: readonly SessionEnd[], waitsMs: readonly number[]])[] = [
    [
      "a VM that is not there: doubled, to a minute",
      Array.from({ length: 11 }, () => NONE),
      [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000],
    ],
    ["a short session is no good one", [lost(0), lost(9_999), lost(100)], [250, 500, 1000]],
    ["a good session starts anew", [NONE, NONE, NONE, lost(10_000), NONE], [
      250,
      500,
      1000,
      250,
      500,
    ]],
    ["good sessions never wait long", [lost(60_000), lost(60_000), lost(60_000)], [250, 250, 250]],
    ["a violation waits a minute, at once and always", [VIOLATION, VIOLATION], [60_000, 60_000]],
    ["a violation forgets nothing", [NONE, NONE, VIOLATION, NONE], [250, 500, 60_000, 1000]],
  ];

for (const [name, ends, waitsMs] of CASES) {
  Deno.test(`backoff: ${name}`, () => {
    const backoff = createBackoff();
    assertEquals(ends.map((end) => backoff.nextWaitMs(end)), waitsMs);
  });
}
