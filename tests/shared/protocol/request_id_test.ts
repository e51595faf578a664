// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import {
  makeRequestId,
  parseRequestId,
  parseV1Id,
  requestIdTimeMs,
} from "../../../shared/protocol/request_id.ts";
import { testVectors, type Vector, verdict } from "./vectors.ts";

interface IdVector extends Vector {
  readonly input: string;
  /** What protocol 1 says of the same text. */
  readonly expectV1: string;
  readonly timeMs?: number;
}

testVectors<IdVector>("request_id", ({ input, expect, expectV1, timeMs }) => {
  assertEquals(verdict(() => parseRequestId(input)), expect, "protocol 2");
  assertEquals(verdict(() => parseV1Id(input)), expectV1, "protocol 1");
  if (expect === "ok") assertEquals(parseRequestId(input), input, "an id is not changed");
  if (expectV1 !== "ok") return;
  const id = parseV1Id(input);
  assertEquals(id, input, "an id is not changed");
  assertEquals(requestIdTimeMs(id), timeMs ?? -1, "time");
});

Deno.test("makeRequestId() makes ids that say when and by whom", () => {
  const nowMs = Date.UTC(2026, 10, 22, 9, 15, 0, 999);
  const id = makeRequestId(nowMs, 4242, 0xa1b2c3d4);
  assertEquals(id, "20261122-091500-4242-a1b2c3d4");
  assertEquals(requestIdTimeMs(id), nowMs - 999);
});

Deno.test("makeRequestId() writes every 32 bits as eight digits", () => {
  for (const [bits, hex] of [[0, "00000000"], [1, "00000001"], [-1, "ffffffff"]] as const) {
    assertEquals(makeRequestId(0x1_0000_0000_00, 1, bits).slice(-8), hex);
  }
});

Deno.test("makeRequestId() makes no id that parseRequestId() refuses", () => {
  assertEquals(verdict(() => makeRequestId(Date.UTC(2026, 0), 0, 1)), "bad-id", "pid 0");
  assertEquals(verdict(() => makeRequestId(Date.UTC(1999, 0), 1, 1)), "bad-id", "year 1999");
  for (let day = 0; day < 3000; day++) {
    const nowMs = Date.UTC(2024, 1, 28, 23, 59, 58) + day * 86_400_000;
    assertEquals(requestIdTimeMs(makeRequestId(nowMs, 1 + day, day)), nowMs, `day ${day}`);
  }
});

Deno.test("an id is a safe file name whatever its fields are", () => {
  const id = makeRequestId(Date.UTC(9999, 11, 31, 23, 59, 59), 9_999_999_999, -1);
  assert(/^[0-9a-f-]+$/.test(id) && !id.startsWith("."), id);
  assertEquals(id.length, 35, "the longest id");
});
