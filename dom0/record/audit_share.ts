// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Each VM has a share of the record, and so has dom0 itself. When the oldest file is dropped, the
 * newest records of each that fit into its share are kept: a VM that asks a lot can push out only its
 * own records. They are single records then, no longer a chain.
 *
 * @module
 */

import { readIfPresent, replaceFile } from "../../shared/io/sync_files.ts";

/** What is left of the files that were dropped, as lines in their order. */
export function keptFile(path: string): string {
  return `${path}.kept`;
}

/**
 * Takes the lines of a file that is about to be dropped into the kept one.
 *
 * @param shareBytes for each VM, and for the lines that are of no VM
 */
export function keepShares(dropped: string, kept: string, shareBytes: number): void {
  const lines = [kept, dropped].flatMap((path) => linesOf(readIfPresent(path)));
  const used = new Map<string, number>();
  const newestFirst = lines.toReversed().filter((line) => {
    const vm = vmOf(line);
    const bytes = (used.get(vm) ?? 0) + line.length + 1;
    used.set(vm, bytes);
    return bytes <= shareBytes;
  });
  const text = newestFirst.toReversed().map((line) => `${line}\n`).join("");
  replaceFile(kept, text);
}

/** Records are ASCII. A line that was cut off is left out. */
function linesOf(bytes: Uint8Array | undefined): readonly string[] {
  return bytes === undefined
    ? []
    : new TextDecoder("latin1").decode(bytes).split("\n").slice(0, -1);
}

/** Of the machine's record or of the line for people; "" if it is of no VM. */
function vmOf(line: string): string {
  const [, json, text] = /^\{"seq":[^{]*?"vm":"([^"]+)"|^[^{][^"]*? vm=([^ "]+)/.exec(line) ?? [];
  return json ?? text ?? "";
}
