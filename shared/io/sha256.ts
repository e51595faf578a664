// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * SHA-256, at once or piece by piece. WebCrypto has neither without waiting; node:crypto has both, and
 * is loaded when the first hash is made: imported, it would be a third of each program's start.
 *
 * @module
 */

import type { Hash } from "node:crypto";
import { type ByteSource, readAhead } from "./read_ahead.ts";

/** Takes pieces by update(), and ends with digest("hex"). */
export type Sha256 = Hash;

export function newSha256(): Sha256 {
  // deno-lint-ignore no-process-global -- importing node:process loads as much as node:crypto
  return process.getBuiltinModule("node:crypto").createHash("sha256");
}

/** The file, from where it is to its end. @param onBytes told how many more are in the hash */
export async function hashRest(
  hash: Sha256,
  file: ByteSource,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  for await (const piece of readAhead(file)) {
    hash.update(piece);
    onBytes(piece.length);
  }
}

/** All of a file. @returns 64 digits */
export async function sha256OfFile(path: string): Promise<string> {
  using file = await Deno.open(path, { read: true });
  const hash = newSha256();
  await hashRest(hash, file);
  return hash.digest("hex");
}

/** @param data a text counts as its UTF-8 @returns 64 digits */
export function sha256Hex(data: string | Uint8Array): string {
  return newSha256().update(data).digest("hex");
}
