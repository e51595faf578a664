// SPDX-License-Identifier: GPL-2.0-or-later
/** What runs for the operator, from the files that the daemon keeps of it (admin_orders/run_output.ts). @module */

import { ifPresent } from "../../../shared/io/files.ts";
import { readAt } from "../../../shared/io/read_at.ts";
import { watchFolders } from "../../../shared/io/folder_watch.ts";
import type { RunEnd, RunHead, RunPart } from "../../admin_orders/run_output.ts";
import type { RunChunk } from "./dom0_channel.ts";

/** As the daemon names its files. */
export const RUN_ID = /^[0-9]{8}-[0-9]{6}-[0-9]{1,10}-[0-9a-f]{8}$/;
const NEWLINE = 0x0a;
/** A watch may lose an event. */
const LOOK_MS = 1_000;

/** @param untrustedId of an address */
export async function readRun(
  folder: string,
  untrustedId: string,
  from: number,
): Promise<RunChunk | null> {
  if (!RUN_ID.test(untrustedId)) return null;
  const file = await ifPresent(Deno.open(`${folder}/${untrustedId}.jsonl`));
  if (file === undefined) return null;
  using open = file;
  const { size } = await open.stat();
  if (from > size) return null;
  const bytes = new Uint8Array(size - from);
  const got = readAt(open, from, bytes);
  return chunkOf(bytes.subarray(0, bytes.lastIndexOf(NEWLINE, got - 1) + 1), from);
}

function chunkOf(bytes: Uint8Array, from: number): RunChunk {
  const lines = new TextDecoder().decode(bytes).split("\n").filter((line) => line !== "");
  // The daemon's own file, in a folder of root's.
  const values: readonly (RunHead | RunPart | RunEnd)[] = lines.map((line) => JSON.parse(line));
  return {
    head: values.find((value) => "begunMs" in value) ?? null,
    parts: values.filter((value) => "stream" in value),
    end: values.find((value) => "endedMs" in value) ?? null,
    next: from + bytes.length,
  };
}

/** @returns ends it */
export function followRun(folder: string, id: string, onChange: () => void): () => void {
  const watch = watchFolders([folder], ({ paths, kind }) => {
    if (kind !== "opened" && paths.some((path) => path.endsWith(`/${id}.jsonl`))) onChange();
  });
  const timer = setInterval(onChange, LOOK_MS);
  return () => {
    clearInterval(timer);
    watch.close();
  };
}
