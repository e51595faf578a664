// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * SHA-256, at once or piece by piece. WebCrypto has neither without waiting; node:crypto has both, and
 * is loaded when the first hash is made: imported, it would be a third of each program's start.
 *
 * @module
 */

import type { Hash } from "node:crypto";

/** Takes pieces by update(), and ends with digest("hex"). */
export type Sha256 = Hash;

export function newSha256(): Sha256 {
  // deno-lint-ignore no-process-global -- importing node:process loads as much as node:crypto
  return process.getBuiltinModule("node:crypto").createHash("sha256");
}

/** More, and other work waits. */
const HASHED_PER_TURN_BYTES = 1024 * 1024;

/** The file, from where it is to its end. @param onBytes told how many more are in the hash */
export async function hashRest(
  hash: Sha256,
  file: Pick<Deno.FsFile, "read">,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  const buffer = new Uint8Array(HASHED_PER_TURN_BYTES);
  for (let got; (got = await file.read(buffer)) !== null;) {
    hash.update(buffer.subarray(0, got));
    onBytes(got);
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
