// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The id of a request: YYYYMMDD-HHMMSS-PID-hhhhhhhh, the time in UTC, the client's pid in
 * decimal, 32 random bits in lower-case hex. It is a file name in the VM and a word in every log of
 * dom0, so nothing outside this grammar is accepted.
 *
 * @module
 */

import { ProtocolError } from "./refusal.ts";

declare const brand: unique symbol;
/** A request's id. Made only by parseRequestId() and parseV1Id(). */
export type RequestId = string & { readonly [brand]: "RequestId" };

const ID =
  /^([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{2})([0-9]{2})([0-9]{2})-([1-9][0-9]{0,9})-[0-9a-f]{8}$/;

/**
 * @throws {ProtocolError} "bad-id"
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * parseRequestId("20261122-101500-4242-0a1b2c3d");
 * assertThrows(() => parseRequestId("20261322-101500-4242-0a1b2c3d")); // no such month
 * ```
 */
export function parseRequestId(untrustedId: string): RequestId {
  if (timeOf(untrustedId) === null) throw new ProtocolError("bad-id", "not a request id");
  return untrustedId as RequestId;
}

/**
 * Protocol 1 has the same ids for commands, and ping-NANOSECONDS-PID for pings.
 *
 * @throws {ProtocolError} "bad-id"
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseV1Id("ping-1763800000000000000-7"), "ping-1763800000000000000-7");
 * ```
 */
export function parseV1Id(untrustedId: string): RequestId {
  if (!V1_PING.test(untrustedId)) return parseRequestId(untrustedId);
  return untrustedId as RequestId; // with the cast above, the only two in the project
}

const V1_PING = /^ping-([1-9][0-9]{17,18})-[1-9][0-9]{0,9}$/;

/**
 * When the id says it was made, in ms since 1970. A protocol 1 client writes local time.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * assertEquals(requestIdTimeMs(id), Date.UTC(2026, 10, 22, 10, 15));
 * ```
 */
export function requestIdTimeMs(id: RequestId): number {
  const ping = V1_PING.exec(id);
  if (ping !== null) return Number(BigInt(ping[1] ?? "0") / 1_000_000n);
  return timeOf(id) ?? 0;
}

/**
 * The beginning of an id, and of other names that are to be in the order of time: UTC, to the second.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(secondStamp(Date.UTC(2026, 10, 22, 10, 15)), "20261122-101500");
 * ```
 */
export function secondStamp(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]/g, "").slice(0, 15).replace("T", "-");
}

/**
 * @param random32 32 random bits
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const id = makeRequestId(Date.UTC(2026, 10, 22, 10, 15), 4242, 0x0a1b2c3d);
 * assertEquals(id, "20261122-101500-4242-0a1b2c3d");
 * ```
 */
export function makeRequestId(nowMs: number, pid: number, random32: number): RequestId {
  return parseRequestId(
    `${secondStamp(nowMs)}-${pid}-${(random32 >>> 0).toString(16).padStart(8, "0")}`,
  );
}

/** null unless the text is an id whose date and time exist. */
function timeOf(untrustedId: string): number | null {
  const parts = ID.exec(untrustedId)?.slice(1, 7).map(Number);
  if (parts === undefined) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const back = new Date(time);
  const exists = year >= 2000 && back.getUTCMonth() === month - 1 && back.getUTCDate() === day &&
    hour < 24 && minute < 60 && second < 60;
  return exists ? time : null;
}
