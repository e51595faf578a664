// SPDX-License-Identifier: GPL-2.0-or-later
/** Every sub-command and what does it; cli_table.ts says what each takes. @module */

import { attach } from "./jobs/attach.ts";
import { cancel } from "./jobs/cancel.ts";
import type { Given } from "./cli_words.ts";
import { doctor } from "./doctor.ts";
import type { Layout } from "../files/layout.ts";
import { keyFingerprint, keyGen, keyImport, keyShow } from "./key.ts";
import { history, historyShow } from "./history.ts";
import { jobs } from "./jobs/jobs.ts";
import { log } from "./log.ts";
import { mcp } from "./mcp.ts";
import { migrate } from "./migrate.ts";
import { op, ops } from "./op.ts";
import { ping } from "./ping.ts";
import { queueClean, queueDebug, queueStatus } from "./queue.ts";
import { plan } from "./plan.ts";
import { status } from "./status.ts";
import { pull, push } from "./transfer.ts";
import { wait } from "./jobs/wait.ts";

export type RunSubCommand = (layout: Layout, given: Given) => Promise<number>;

const RUN: ReadonlyMap<string, RunSubCommand> = new Map([
  ["op", op],
  ["ops", ops],
  ["plan", plan],
  ["push", push],
  ["pull", pull],
  ["jobs", jobs],
  ["attach", attach],
  ["wait", wait],
  ["cancel", cancel],
  ["key gen", keyGen],
  ["key show", keyShow],
  ["key import", keyImport],
  ["key fingerprint", keyFingerprint],
  ["mcp", mcp],
  ["doctor", doctor],
  ["ping", ping],
  ["status", status],
  ["queue", queueStatus],
  ["queue status", queueStatus],
  ["queue clean", queueClean],
  ["queue debug", queueDebug],
  ["log", log],
  ["history", history],
  ["history show", historyShow],
  ["migrate", migrate],
]);

export function subCommand(path: string): RunSubCommand {
  const run = RUN.get(path);
  if (run === undefined) throw new Error(`bug: nothing runs ${path}`);
  return run;
}
