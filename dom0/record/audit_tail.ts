// SPDX-License-Identifier: GPL-2.0-or-later
/** The end of an audit file, and its first record, read from the disk. @module */

import { readAt } from "../../shared/io/read_at.ts";
import { isPresent } from "../../shared/io/sync_files.ts";
import { CHAIN_START, type ChainEnd, endOfLine } from "./audit_chain.ts";

/** More than the longest record: one with a full command text. */
export const TAIL_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** @param size of the file now */
export function readTail(file: Deno.FsFile, size: number): Uint8Array {
  const tail = new Uint8Array(Math.min(size, TAIL_BYTES));
  readAt(file, size - tail.length, tail);
  return tail;
}

/**
 * Where the chain ends. A last line without a newline was cut off by a crash or a full disk: it is
 * removed, and the next record says so.
 */
export function repairTail(path: string): { readonly end: ChainEnd; readonly tornBytes: number } {
  const start: ChainEnd = { seq: 0, hash: CHAIN_START };
  using file = Deno.openSync(path, { read: true, write: true });
  const { size } = file.statSync();
  const tail = readTail(file, size);
  const whole = tail.lastIndexOf(NEWLINE) + 1;
  const tornBytes = tail.length - whole;
  if (tornBytes > 0) file.truncateSync(size - tornBytes);
  const lines = new TextDecoder().decode(tail.subarray(0, whole)).trimEnd().split("\n");
  const last = lines.at(-1) ?? "";
  if (last === "") return { end: endOfOlderFile(path) ?? start, tornBytes };
  return { end: endOfLine(last) ?? start, tornBytes };
}

/** The first record of a file; null if it begins with something else. */
export function firstOf(path: string): ChainEnd | null {
  using file = Deno.openSync(path, { read: true });
  const head = new Uint8Array(TAIL_BYTES);
  const length = file.readSync(head) ?? 0;
  return endOfLine(new TextDecoder().decode(head.subarray(0, length)).split("\n", 1)[0] ?? "");
}

/** After a rotation the new file is empty: the chain goes on from the one before. */
function endOfOlderFile(path: string): ChainEnd | null {
  const older = `${path}.1`;
  return !isPresent(older) ? null : repairTail(older).end;
}
