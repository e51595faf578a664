// SPDX-License-Identifier: GPL-2.0-or-later
/** What runs for the operator, and the last of it that ended: how each began, and how it ended. @module */

import { ifPresent } from "../../../shared/io/files.ts";
import { readAt } from "../../../shared/io/read_at.ts";
import type { RunHead } from "../../admin_orders/run_output.ts";
import type { ListedRun } from "./dom0_channel.ts";
import { RUN_ID } from "./run_files.ts";

/** Enough for a script of the longest. */
const HEAD_BYTES = 512 * 1024;
/** Of the last line; the value of an operation may be longer, and is not needed here. */
const END_BYTES = 64 * 1024;

/** Newest first. */
export async function listRuns(folder: string): Promise<readonly ListedRun[]> {
  const found = await ifPresent(Array.fromAsync(Deno.readDir(folder), ({ name }) => name)) ?? [];
  const ids = found.map((name) => name.replace(/\.jsonl$/, "")).filter((id) => RUN_ID.test(id));
  const runs = await Promise.all(ids.map((id) => readListed(`${folder}/${id}.jsonl`)));
  return runs.filter((one) => one !== null).toSorted((a, b) => b.head.begunMs - a.head.begunMs);
}

/** null: it is gone, or has only begun. */
async function readListed(path: string): Promise<ListedRun | null> {
  const file = await ifPresent(Deno.open(path));
  if (file === undefined) return null;
  using open = file;
  const { size } = await open.stat();
  const [first = ""] = textAt(open, 0, Math.min(size, HEAD_BYTES)).split("\n", 1);
  const start = Math.max(0, size - END_BYTES);
  const last = textAt(open, start, size - start).trimEnd();
  try {
    const head: RunHead = JSON.parse(first); // the daemon's own file, in a folder of root's
    return { head, end: endIn(last) };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function endIn(text: string): ListedRun["end"] {
  const line = text.slice(text.lastIndexOf("\n") + 1);
  const [, ended] = /"endedMs":([0-9]+)\}$/.exec(line) ?? [];
  if (ended === undefined) return null;
  // The beginning of a line that is longer is not here.
  return line.startsWith("{") ? JSON.parse(line) : { endedMs: Number(ended) };
}

function textAt(file: Deno.FsFile, from: number, length: number): string {
  const bytes = new Uint8Array(length);
  return new TextDecoder().decode(bytes.subarray(0, readAt(file, from, bytes)));
}
