// SPDX-License-Identifier: GPL-2.0-or-later
/** The last lines of a file, without reading the rest. @module */

import { ifPresent } from "../../../shared/io/files.ts";
import { concat } from "../../../shared/protocol/bytes.ts";

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** Fewer lines if there are no more, none if there is no file. */
export async function lastLines(path: string, maxLines: number): Promise<readonly string[]> {
  using file = await ifPresent(Deno.open(path, { read: true }));
  if (file === undefined || maxLines === 0) return [];
  let text = new Uint8Array(0);
  let newlines = 0;
  for (let at = (await file.stat()).size; at > 0 && newlines <= maxLines;) {
    const block = new Uint8Array(Math.min(BLOCK_BYTES, at));
    at -= block.length;
    await file.seek(at, Deno.SeekMode.Start);
    const got = await file.read(block) ?? 0;
    text = concat([block.subarray(0, got), text]);
    newlines = text.reduce((sum, byte) => byte === NEWLINE ? sum + 1 : sum, 0);
  }
  const lines = new TextDecoder().decode(text).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.slice(-maxLines);
}
