// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What it costs to anchor the audit: for each record a file in memory is opened and written over, and
 * after each sync another one. A request that runs has two records and one sync. Prints figures as
 * JSON, for daemon_parts.ts, which starts it as the daemon is started.
 *
 * @module
 */

import { createAnchorWriter } from "../../dom0/record/anchor.ts";
import { CHAIN_START, chainRecord } from "../../dom0/record/audit_chain.ts";
import { type Figure, summary } from "./measure.ts";

const ROUNDS = 4_000;
const RECORDS_OF_A_REQUEST = 2;
/** 5 % of what a request costs the daemon at best, 3 ms of processor. */
const GOAL_MS = 0.15;

async function measure(): Promise<readonly Figure[]> {
  const disk = await Deno.makeTempDir();
  const memory = await Deno.makeTempDir({ dir: "/dev/shm" });
  try {
    const writer = createAnchorWriter({
      anchorFile: `${disk}/anchor`,
      liveAnchorFile: `${memory}/anchor`,
    });
    let end = chainRecord({ seq: 0, hash: CHAIN_START }, "", "start", {});
    writer.begin(end);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const started = performance.now();
      for (let record = 0; record < RECORDS_OF_A_REQUEST; record++) writer.recorded(end);
      writer.synced(end);
      times.push(performance.now() - started);
      end = chainRecord(end, "", "accepted", {});
    }
    const { p50, p99 } = summary(times);
    const what = "anchoring the audit, what a request adds";
    return [
      { name: `${what}, p50`, value: p50, unit: "ms", goal: GOAL_MS },
      { name: `${what}, p99`, value: p99, unit: "ms" },
    ];
  } finally {
    for (const folder of [disk, memory]) await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) console.log(JSON.stringify(await measure()));
