// SPDX-License-Identifier: GPL-2.0-or-later
/** How far a request is that nobody waits for, as its files tell: nothing asks dom0. @module */

import { ifPresentSync, isPresent } from "../../../shared/io/sync_files.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { findPart, presentPath } from "./archive.ts";
import { type Layout, parkedPath } from "./layout.ts";

/**
 * "queued": dom0 has not taken it; "approval": a person in dom0 is to decide; "running": dom0 has it;
 * "ended": its answer is here; "gone": it is nowhere, so it was taken back, or never sent.
 */
export type JobState = "queued" | "approval" | "running" | "ended" | "gone";

/** A request goes from pending/ to running/ to its answer, so that is the order in which to look. */
export function jobState(layout: Layout, id: RequestId): JobState {
  if (isPresent(`${layout.pending}/${id}`)) return "queued";
  const isRunning = isPresent(`${layout.running}/${id}`);
  if (findPart(layout, id, "exit", presentPath) !== undefined) return "ended";
  if (isRunning) return isPresent(parkedPath(layout, id)) ? "approval" : "running";
  return "gone";
}

/** How much of its output is here, in bytes. */
export function outputBytes(layout: Layout, id: RequestId, part: "out" | "err"): number {
  const size = (path: string) => ifPresentSync(() => Deno.lstatSync(path))?.size;
  return findPart(layout, id, part, size) ?? 0;
}
