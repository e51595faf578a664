// SPDX-License-Identifier: GPL-2.0-or-later
/** history: the requests and the changes of dom0's own files one by one, and what can be taken back. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { expectWords, parseNumber, parseWords } from "../../../shared/cli/options.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { allAuditFiles, linesOf, parseRecord } from "../../record/audit_files.ts";
import { createRequestHistory, type PastRequest } from "../../record/request_history.ts";
import { type FileChange, listFileChanges, whatHappened } from "../../operator/file_changes.ts";
import { OPERATOR } from "../../undo/run_undo.ts";
import type { UndoRecord } from "../../undo/undo_record.ts";
import { createUndoStore } from "../../undo/undo_store.ts";
import { callText } from "../../undo/undo_text.ts";
import { wayBack } from "../../undo/way_back.ts";
import { type Operator } from "../operator.ts";
import { vmFromWord } from "../../operator/vm_word.ts";

export const HISTORY_WORDS = "[--undoable] [--vm VM] [-n N] [--json]";

const USUAL_LINES = 50;

/** One request, or one undo. */
interface Entry {
  readonly time: string;
  readonly vm: string;
  readonly id: string;
  readonly operation: string;
  readonly targets: readonly string[];
  /** "allowed", "approved", "waits", "refused". */
  readonly decision: string;
  /** "done", "exit 3", "timeout", "policy-denied", "-". */
  readonly end: string;
  readonly undo: Undoable;
  /** Of what is kept, as calls. */
  readonly kept: readonly string[];
}

/** "partly": an undo of it was cut off or failed. "no": it cannot be undone, or is no longer kept. */
type Undoable = "yes" | "undone" | "partly" | "no";

export async function history(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(
    words,
    { undoable: "flag", vm: "value", lines: "value", json: "flag" },
    { n: "lines" },
    "anywhere",
  );
  expectWords(options.rest, 0, 0, `qvm-remote-dom0 history ${HISTORY_WORDS}`);
  const most = options.value("lines");
  const limit = most === undefined ? USUAL_LINES : parseNumber("--lines", most, 1, 1e9);
  const vmWord = options.value("vm");
  const vm = vmWord === undefined || vmWord === OPERATOR ? vmWord : vmFromWord(vmWord);
  const entries = (await readEntries(operator))
    .filter((entry) => vm === undefined || entry.vm === vm)
    .filter(({ undo }) => !options.has("undoable") || undo === "yes" || undo === "partly")
    .slice(-limit);
  for (const entry of entries) {
    operator.print(`${options.has("json") ? JSON.stringify(entry) : lineOf(entry)}\n`);
  }
  if (entries.length === 0 && !options.has("json")) operator.print("Nothing is on record.\n");
  return 0;
}

/** In the order of time. */
async function readEntries({ paths }: Operator): Promise<readonly Entry[]> {
  const store = createUndoStore({ folder: paths.undoFolder, dateMs });
  const kept = Map.groupBy(await store.list(), ({ vm, id }) => `${vm} ${id}`);
  const requests = createRequestHistory();
  for (const path of await allAuditFiles(paths.auditFile)) {
    for await (const line of linesOf(path)) {
      const record = parseRecord(line);
      if (record !== null) requests.add(record);
    }
  }
  const entries = requests.requests().map((request): Entry => {
    const records = kept.get(`${request.vm} ${request.id}`) ?? [];
    kept.delete(`${request.vm} ${request.id}`);
    return entryOf(request, records);
  });
  const ofFiles = (await listFileChanges(paths)).map(fileEntry);
  return [...entries, ...[...kept.values()].map(undoEntry), ...ofFiles]
    .toSorted((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0);
}

function entryOf(request: PastRequest, records: readonly UndoRecord[]): Entry {
  const { vm, id, firstTime, operation, targets } = request;
  return {
    time: firstTime,
    vm,
    id,
    operation,
    targets,
    decision: decisionOf(request),
    end: endOf(request),
    undo: undoableOf(records),
    kept: records.map(callText),
  };
}

/** What is kept of no request on record: an undo's own steps, or the record of it was dropped. */
function undoEntry(records: readonly UndoRecord[]): Entry {
  const [first] = records;
  if (first === undefined) throw new Error("bug: no record");
  const { vm, id, atMs, exitCode } = first;
  return {
    time: new Date(atMs).toISOString(),
    vm,
    id,
    operation: vm === OPERATOR ? "undo" : first.operation,
    targets: [],
    decision: "allowed",
    end: exitCode === null ? "-" : exitCode === 0 ? "done" : `exit ${exitCode}`,
    undo: undoableOf(records),
    kept: records.map(callText),
  };
}

/** A change that was made by the web admin, or the undo of one. */
function fileEntry({ kind, change, isChangedSince }: FileChange): Entry {
  const { id, atMs, by, file, isUndone } = change;
  return {
    time: new Date(atMs).toISOString(),
    vm: OPERATOR,
    id,
    operation: kind,
    targets: [file],
    decision: "allowed",
    end: "done",
    undo: isUndone ? "undone" : isChangedSince ? "no" : "yes",
    kept: [`${file} was ${whatHappened(change)} by ${by}`],
  };
}

function undoableOf(records: readonly UndoRecord[]): Undoable {
  if (records.length === 0) return "no";
  const left = records.filter(({ status }) => status !== "undone");
  if (left.length === 0) return "undone";
  if (left.some((record) => wayBack(record).kind === "none")) return "no";
  return left.length < records.length || left.some(({ status }) => status !== "kept")
    ? "partly"
    : "yes";
}

function decisionOf({ decided, end }: PastRequest): string {
  if (decided.includes("approved")) return "approved";
  if (decided.includes("accepted")) return "allowed";
  return end === null ? "waits" : "refused";
}

function endOf({ end }: PastRequest): string {
  if (end === null) return "-";
  if (end.kind === "refused") return end.reason;
  if (end.kind !== "done" || end.exitCode === null) return end.kind;
  return end.exitCode === 0 ? "done" : `exit ${end.exitCode}`;
}

const UNDO_TEXT: Readonly<Record<Undoable, string>> = {
  yes: "  can be undone",
  partly: "  PARTLY UNDONE",
  undone: "  undone",
  no: "",
};

function lineOf({ time, vm, id, operation, targets, decision, end, undo, kept }: Entry): string {
  const what = kept.length > 0 ? kept : [[operation || "(not read)", ...targets].join(" ")];
  const text = what.join("; ");
  const shown = /^[\x20-\x7e]{1,200}$/.test(text) ? text : printable(text, 200);
  return `${time.slice(0, 19)} ${vm} ${id} ${decision}, ${end}: ${shown}${UNDO_TEXT[undo]}`;
}
