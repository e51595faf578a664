// SPDX-License-Identifier: GPL-2.0-or-later
/** Bytes to values and back: hex with one spelling, integers, text. @module */

import { ProtocolError } from "./refusal.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...utf8("é")], [0xc3, 0xa9]);
 * ```
 */
export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes; // never shared memory, though Deno 2.4's types allow it
}

/**
 * As many whole characters as fit.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...utf8Prefix("aé", 2)], [0x61]); // half a character is none
 * ```
 */
export function utf8Prefix(text: string, maxBytes: number): Bytes {
  const bytes = new Uint8Array(maxBytes);
  return bytes.slice(0, encoder.encodeInto(text, bytes).written);
}

/**
 * @throws {ProtocolError} "bad-argument" if the bytes are not UTF-8.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => parseUtf8(new Uint8Array([0xff])), Error, "not UTF-8");
 * ```
 */
export function parseUtf8(untrustedBytes: Uint8Array): string {
  try {
    return strictUtf8.decode(untrustedBytes);
  } catch {
    throw new ProtocolError("bad-argument", "not UTF-8");
  }
}

/**
 * One character a byte, no byte refused: for matching a grammar of ASCII over hostile bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(asLatin1(new Uint8Array([0x61, 0xe9])).length, 2);
 * ```
 */
export function asLatin1(untrustedBytes: Uint8Array): string {
  return latin1.decode(untrustedBytes);
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...concat([new Uint8Array([1]), new Uint8Array([2, 3])])], [1, 2, 3]);
 * ```
 */
export function concat(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(toHex(new Uint8Array([0, 255])), "00ff");
 * ```
 */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

/**
 * Decodes lower-case hex. Any other spelling of the same bytes is refused.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals([...parseHex("00ff", 2)], [0, 255]);
 * assertThrows(() => parseHex("00FF", 2), Error, "lower-case");
 * ```
 */
export function parseHex(untrustedHex: string, wantBytes: number): Bytes {
  if (untrustedHex.length !== 2 * wantBytes || !/^[0-9a-f]*$/.test(untrustedHex)) {
    throw new ProtocolError("bad-argument", `want ${wantBytes} bytes of lower-case hex`);
  }
  const bytes = new Uint8Array(wantBytes);
  for (let i = 0; i < wantBytes; i++) {
    bytes[i] = parseInt(untrustedHex.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}

/**
 * A decimal without sign or leading zero. @throws {ProtocolError} "bad-argument"
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseDecimal("7", 1, 10), 7);
 * assertThrows(() => parseDecimal("007", 1, 10));
 * ```
 */
export function parseDecimal(untrustedText: string, min: number, max: number): number {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(untrustedText) ? Number(untrustedText) : NaN;
  if (!(value >= min && value <= max)) {
    throw new ProtocolError("bad-argument", `want a whole number from ${min} to ${max}`);
  }
  return value;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...uint32(258)], [0, 0, 1, 2]);
 * ```
 */
export function uint32(value: number): Bytes {
  if (!(value >= 0 && value <= 0xffff_ffff)) throw new Error(`bug: ${value} in 32 bits`);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/**
 * Of a number that JavaScript counts exactly.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...uint64(2 ** 32 + 1)], [0, 0, 0, 1, 0, 0, 0, 1]);
 * ```
 */
export function uint64(value: number): Bytes {
  return concat([uint32(Math.floor(value / 2 ** 32)), uint32(value % 2 ** 32)]);
}

/** Reads fixed fields off the front of a frame body, in order. */
export interface FieldReader {
  uint8(): number;
  uint16(): number;
  uint32(): number;
  /** @throws {ProtocolError} "bad-argument" past 2^53 - 1 */
  uint64(): number;
  /** Exactly that many bytes, a view into the frame. */
  bytes(count: number): Uint8Array;
  /** All that is left. */
  rest(): Uint8Array;
  /** @throws {ProtocolError} "bad-frame" if bytes are left over. */
  end(): void;
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const fields = readFields(new Uint8Array([0, 7, 0x61, 0x62]));
 * assertEquals(fields.uint16(), 7);
 * assertEquals([...fields.rest()], [0x61, 0x62]);
 * fields.end();
 * ```
 */
export function readFields(untrustedBody: Uint8Array): FieldReader {
  const view = new DataView(
    untrustedBody.buffer,
    untrustedBody.byteOffset,
    untrustedBody.byteLength,
  );
  let at = 0;
  const take = (count: number): number => {
    if (at + count > untrustedBody.length) throw new ProtocolError("bad-frame", "frame too short");
    at += count;
    return at - count;
  };
  return {
    uint8: () => view.getUint8(take(1)),
    uint16: () => view.getUint16(take(2)),
    uint32: () => view.getUint32(take(4)),
    uint64() {
      const at = take(8);
      const value = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
      if (!Number.isSafeInteger(value)) throw new ProtocolError("bad-argument", "64-bit number");
      return value;
    },
    bytes(count) {
      const start = take(count);
      return untrustedBody.subarray(start, start + count);
    },
    rest: () => untrustedBody.subarray(take(untrustedBody.length - at)),
    end() {
      if (at !== untrustedBody.length) {
        throw new ProtocolError("bad-frame", `${untrustedBody.length - at} bytes too many`);
      }
    },
  };
}
