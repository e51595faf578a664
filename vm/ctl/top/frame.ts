// SPDX-License-Identifier: GPL-2.0-or-later
/** What one refresh of "openclaw-ctl top" shows: gathered here, drawn elsewhere. @module */

import { UserError } from "../../../shared/cli/program.ts";
import { partsOf } from "../../probe/units.ts";
import { readLogs } from "../commands/logs.ts";
import { usageRows } from "../commands/usage.ts";
import type { LogLine } from "../journal.ts";
import type { Scene } from "../scene.ts";
import { type Snapshot, takeSnapshot } from "../snapshot.ts";

export interface Frame {
  readonly atMs: number;
  readonly snapshot: Snapshot;
  /** Of today, from the books; null where they are in another VM. */
  readonly today:
    | { readonly requests: number; readonly tokens: number; readonly spend: number }
    | null;
  /** Of the proxy, since the frame before; null at first. */
  readonly requestsPerMinute: number | null;
  readonly logs: readonly LogLine[];
  /** Why there are none. */
  readonly logsError: string | null;
}

/** As many as a tall terminal shows. */
const LOG_LINES = 60;

export async function takeFrame(scene: Scene, before: Frame | null): Promise<Frame> {
  const { settings, nowMs } = scene;
  const [snapshot, logs, today] = await Promise.all([
    takeSnapshot(scene),
    logsOrError(scene),
    partsOf(settings).includes("proxy") ? usageToday(scene) : null,
  ]);
  const frame = { atMs: nowMs(), snapshot, today, ...logs };
  return { ...frame, requestsPerMinute: rate(before, frame.atMs, snapshot) };
}

function rate(before: Frame | null, atMs: number, { proxy }: Snapshot): number | null {
  const last = before?.snapshot.proxy?.requests ?? null;
  const now = proxy?.requests ?? null;
  if (before === null || last === null || now === null || atMs <= before.atMs) return null;
  return Math.max(0, (now - last) * 60_000 / (atMs - before.atMs));
}

async function logsOrError({ settings, run }: Scene) {
  try {
    const question = { parts: partsOf(settings), lines: LOG_LINES, since: null };
    return { logs: await readLogs(question, settings, run), logsError: null };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { logs: [], logsError: error.message };
  }
}

async function usageToday(scene: Scene): Promise<Frame["today"]> {
  try {
    const rows = await usageRows(scene, 1);
    const sum = (pick: (row: typeof rows[number]) => number): number =>
      rows.reduce((total, row) => total + pick(row), 0);
    return {
      requests: sum(({ requests }) => requests),
      tokens: sum(({ tokens }) => tokens),
      spend: sum(({ spend }) => spend),
    };
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
