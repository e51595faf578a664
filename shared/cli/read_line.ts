// SPDX-License-Identifier: GPL-2.0-or-later
/** One line from standard input, a terminal or anything else. @module */

import { UserError } from "./program.ts";

const MAX_LINE_BYTES = 4096;
const [LF, CR] = [0x0a, 0x0d]; // CR: what a terminal in raw mode sends

/**
 * Read byte by byte, so that what follows the line is left for the next reader.
 *
 * @returns null at the end of input
 * @throws {UserError} if the line is too long
 */
export function readLine(
  from: { readSync(bytes: Uint8Array): number | null } = Deno.stdin,
): string | null {
  const line: number[] = [];
  const text = (): string => new TextDecoder().decode(new Uint8Array(line));
  const byte = new Uint8Array(1);
  while (line.length < MAX_LINE_BYTES) {
    const got = from.readSync(byte);
    if (got === null || got === 0) return line.length === 0 ? null : text();
    if (byte[0] === LF || byte[0] === CR) return text();
    line.push(byte[0] ?? 0);
  }
  throw new UserError("the line is too long");
}
