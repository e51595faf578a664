// SPDX-License-Identifier: GPL-2.0-or-later
/** @module */

/** Fills the buffer from there on. @returns how many bytes there were, fewer at the file's end */
export function readAt(file: Deno.FsFile, offset: number, into: Uint8Array): number {
  file.seekSync(offset, Deno.SeekMode.Start);
  let got = 0;
  while (got < into.length) {
    const more = file.readSync(into.subarray(got));
    if (more === null) break;
    got += more;
  }
  return got;
}
