// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote jobs`: what was sent with --detach and not fetched, and how far it is. @module */

import { EXIT_OK } from "../../../../shared/cli/program.ts";
import type { RequestId } from "../../../../shared/protocol/request_id.ts";
import { type HistoryEntry, readEntry } from "../../client/history.ts";
import { findPart, presentPath } from "../../files/archive.ts";
import { type JobState, jobState, outputBytes } from "../../files/job_state.ts";
import { historyFolder, type Layout } from "../../files/layout.ts";
import { idOfName } from "../../files/queue_entry.ts";
import { namesIn } from "../../files/queue_list.ts";
import type { Given } from "../cli_words.ts";
import { shortCommand } from "../history.ts";
import { print } from "../print.ts";

export async function jobs(layout: Layout, given: Given): Promise<number> {
  const ids = (await namesIn(layout.detached)).sort().flatMap((name) => idOfName(name) ?? []);
  const found = await Promise.all(ids.map((id) => readJob(layout, id)));
  const rows = found.map(({ id, state, entry, out }) =>
    `${id.padEnd(ID_CHARS)} ${stateText(state, entry).padEnd(STATE_CHARS)} ` +
    `${String(entry.exitCode ?? "-").padStart(4)} ${`${out} B`.padStart(12)}  ` +
    `${shortCommand(entry.untrustedCommand)}\n`
  );
  const head = `${"ID".padEnd(ID_CHARS)} ${"STATE".padEnd(STATE_CHARS)} EXIT ${
    "OUTPUT".padStart(12)
  }  COMMAND\n`;
  print(
    given,
    { jobs: found.map(jobJson) },
    rows.length === 0 ? "no jobs\n" : head + rows.join(""),
  );
  return EXIT_OK;
}

const ID_CHARS = 36;
/** As long as the longest outcome. */
const STATE_CHARS = 13;

interface Job {
  readonly id: RequestId;
  readonly state: JobState;
  readonly entry: HistoryEntry;
  /** Bytes that are here. */
  readonly out: number;
  readonly err: number;
}

async function readJob(layout: Layout, id: RequestId): Promise<Job> {
  const state = jobState(layout, id);
  const metaPath = findPart(layout, id, "meta", presentPath);
  const entry = await readEntry(historyFolder(layout, id), id, metaPath);
  return {
    id,
    state,
    // What is written before the answer is whole is none.
    entry: state === "ended" ? entry : { ...entry, outcome: null, exitCode: null },
    out: outputBytes(layout, id, "out"),
    err: outputBytes(layout, id, "err"),
  };
}

function stateText(state: JobState, { outcome }: HistoryEntry): string {
  return state === "ended" ? outcome ?? state : state;
}

function jobJson({ id, state, entry, out, err }: Job) {
  const { outcome, exitCode, untrustedCommand } = entry;
  return {
    id,
    state,
    outcome,
    exit: exitCode,
    stdout_bytes: out,
    stderr_bytes: err,
    command: untrustedCommand,
  };
}
