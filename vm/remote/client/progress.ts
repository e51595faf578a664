// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a person at a terminal is told while waiting. A program that reads stderr is told only one
 * thing, once: that a person in dom0 has to decide, which may take long.
 *
 * @module
 */

import { writeAll } from "../../../shared/cli/program.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { Given } from "../commands/cli_words.ts";
import { PROGRAM } from "../commands/cli_table.ts";
import type { Layout } from "../files/layout.ts";
import { createMeter } from "./meter.ts";
import { spanMs } from "../../../shared/io/clock.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";

/** The first line comes soon enough to reassure, later ones rarely enough not to annoy. */
const FIRST_LINE_MS = 5_000;
const NEXT_LINE_MS = 30_000;

export interface Progress {
  submitted(id: RequestId, signed: boolean): void;
  waitingForName(): void;
  waiting(id: RequestId, layout: Layout, waitedMs: number, isParked: boolean): void;
  parked(isParked: boolean): void;
  /** Bytes of what the request brings. */
  sent(bytes: number, total: number): void;
}

export function createProgress(given: Given, timeoutMs: number): Progress {
  const wanted = Deno.stderr.isTerminal() && !given.has("quiet");
  const say = (text: string) => writeAll(Deno.stderr, `[${PROGRAM}] ${text}\n`);
  let nextMs = FIRST_LINE_MS;
  let toldOfApproval = false;
  const meter = createMeter(spanMs);
  return {
    submitted(id, signed) {
      if (!given.has("verbose")) return;
      say(`submitted id=${id}`);
      if (!signed) say("answers of protocol 1 are not signed: anything in this VM can make one");
    },
    waitingForName() {
      if (wanted) say("waiting for dom0 to connect for the first time...");
    },
    waiting(id, layout, waitedMs, isParked) {
      if (!wanted || waitedMs < nextMs) return;
      nextMs = (Math.floor(waitedMs / NEXT_LINE_MS) + 1) * NEXT_LINE_MS;
      const waited = `${Math.floor(waitedMs / 1000)}s`;
      if (isParked) return say(`waiting for approval in dom0 ... ${waited}`);
      const where = isPresent(`${layout.pending}/${id}`) ? "dom0 has not taken it" : "dom0 has it";
      say(
        `waiting... ${waited}${timeoutMs === Infinity ? "" : `/${timeoutMs / 1000}s`} (${where})`,
      );
    },
    sent(bytes, total) {
      if (!wanted) return;
      const text = meter.at(bytes, total);
      if (text !== null) writeAll(Deno.stderr, `\r\x1b[K[${PROGRAM}] sent ${text}`);
      if (bytes >= total) writeAll(Deno.stderr, "\n");
    },
    parked(isParked) {
      nextMs = FIRST_LINE_MS;
      if (given.has("quiet")) return;
      if (!isParked && wanted) say("no longer waiting for approval");
      if (!isParked || toldOfApproval) return;
      toldOfApproval = true;
      writeAll(Deno.stderr, `${PROGRAM}: waiting for approval in dom0 ...\n`);
    },
  };
}
