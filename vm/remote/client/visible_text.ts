// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Output of dom0, and of other VMs through it, on its way to a terminal: control characters become
 * visible text, as with "cat -v". Everything else stays as it is, including tabs and line ends. Pure.
 *
 *     ESC [ 3 1 m    ^[[31m          U+202E    \u{202e}
 *     DEL            ^?              byte 9B   \x9b, where it is no part of UTF-8
 *
 * @module
 */

import { concat, utf8 } from "../../../shared/protocol/bytes.ts";

/**
 * Control characters, C1 included; characters that change the direction of text or are invisible; and
 * unusual line ends. Not the joiners, which scripts and emoji need.
 */
const STEERING = /(?![\t\n\r\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

export interface VisibleText {
  /** What can be shown now: the start of a character is held until the rest of it comes. */
  push(untrustedBytes: Uint8Array): Uint8Array;
  /** What was held. Call at the end. */
  end(): Uint8Array;
}

export function createVisibleText(): VisibleText {
  let held: Uint8Array = new Uint8Array(0);
  return {
    push(untrustedBytes) {
      const bytes = concat([held, untrustedBytes]);
      const length = bytes.length - incompleteBytes(bytes);
      held = bytes.slice(length);
      return visible(bytes.subarray(0, length));
    },
    end() {
      const rest = visible(held);
      held = new Uint8Array(0);
      return rest;
    },
  };
}

/** Text of one line, without control characters. */
export function visibleLine(untrustedText: string): string {
  return untrustedText.replace(/[\t\n\r]/g, visibleChar).replace(STEERING, visibleChar);
}

/** A value as JSON that is safe for a terminal: such characters are escaped, as JSON allows. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replace(
    STEERING,
    (char) =>
      Array.from(
        { length: char.length },
        (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}

function visible(untrustedBytes: Uint8Array): Uint8Array {
  let text = "";
  let start = 0; // of the run of characters that has not been taken
  let at = 0;
  const take = (): void => {
    const run = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
      untrustedBytes.subarray(start, at),
    );
    text += run.replace(STEERING, visibleChar);
  };
  while (at < untrustedBytes.length) {
    const length = characterBytes(untrustedBytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    take();
    text += `\\x${untrustedBytes[at]?.toString(16)}`;
    start = ++at;
  }
  take();
  return utf8(text);
}

function visibleChar(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`;
  return `\\u{${code.toString(16)}}`;
}

/** How many bytes at the end are the start of a character. */
function incompleteBytes(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    if (characterBytes(bytes, bytes.length - count) === INCOMPLETE) return count;
  }
  return 0;
}

const INVALID = 0;
const INCOMPLETE = -1;

/** The length of the UTF-8 character that begins there (RFC 3629, section 4), or one of the above. */
function characterBytes(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return INVALID;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return INCOMPLETE;
    const isNext = i === 1 ? byte >= lowest && byte <= highest : byte >= 0x80 && byte <= 0xbf;
    if (!isNext) return INVALID;
  }
  return length;
}
