// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The audit on disk: qvm-remote.audit.jsonl (chained, for machines) and qvm-remote.log (one
 * escaped line per event, for people, and on the daemon's stdout for the journal). How far the
 * chain has come is kept in a second place, see anchor.ts: if the chain falls short of that when
 * it is taken up, the first record says so and goes on with the number that would have been next.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { PRIVATE_FILE } from "../../shared/io/files.ts";
import { ifPresentSync, isPresent } from "../../shared/io/sync_files.ts";
import { errorText } from "../../shared/io/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { type AnchorPaths, createAnchorWriter, newestAnchor, shortfall } from "./anchor.ts";
import { isCutOff, openAppended } from "./appended_file.ts";
import {
  type AuditFields,
  type AuditValue,
  CHAIN_START,
  type ChainEnd,
  chainRecord,
  endOfLine,
} from "./audit_chain.ts";

const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** More than the longest record: one with a full command text. */
const TAIL_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

export interface Audit {
  /** Throws if it cannot be written: what cannot be recorded must not happen. */
  record(event: string, fields: AuditFields): void;
  /** Resolves when what was recorded until now is on the disk; calls at once share a sync. */
  sync(): Promise<void>;
  close(): void;
}

export interface AuditOptions extends AnchorPaths {
  readonly auditFile: string;
  readonly logFile: string;
  readonly dateMs: () => number;
  /** Gets each line for people as well. */
  readonly alsoTo?: (line: string) => void;
  readonly maxFileBytes?: number;
}

/**
 * Several of our programs may record at once (the daemon, an operator's command): each record
 * is made under a lock, on the end that the chain has then.
 */
export function openAudit(options: AuditOptions): Audit {
  const { auditFile, logFile, dateMs, alsoTo = () => {}, maxFileBytes = MAX_FILE_BYTES } = options;
  Deno.mkdirSync(dirname(auditFile), { recursive: true });
  const lock = Deno.openSync(`${auditFile}.lock`, {
    write: true,
    create: true,
    mode: PRIVATE_FILE,
  });
  const locked = (run: () => void): void => {
    lock.lockSync(true);
    try {
      run();
    } finally {
      lock.unlockSync();
    }
  };
  const anchor = createAnchorWriter(options);
  const machine = openAppended(auditFile, maxFileBytes, (nextOldest) => {
    const first = firstOf(nextOldest);
    if (first !== null) anchor.dropping(first.seq - 1);
  });
  const people = openAppended(logFile, maxFileBytes);
  let end: ChainEnd = { seq: 0, hash: CHAIN_START };
  let isClosed = false;

  const add = (event: string, fields: AuditFields): void => {
    const time = new Date(dateMs()).toISOString();
    const record = chainRecord(end, time, event, fields);
    machine.append(record.line);
    end = record;
    anchor.recorded(end);
    const line = `${time} #${end.seq} ${end.hash.slice(0, 8)} ${formatEvent(event, fields)}\n`;
    // A line that a full disk cut in its middle stays, but the next one begins anew.
    if (people.followPath() && isCutOff(logFile)) people.append("\n");
    people.append(line);
    alsoTo(line);
  };
  /** What others wrote, or what an earlier program left. */
  const takeUp = (): void => {
    const tail = repairTail(auditFile);
    end = tail.end;
    if (tail.tornBytes > 0) machine.followPath();
    const anchors = anchor.read();
    const known = newestAnchor(anchors);
    const short = known === null ? null : shortfall(known, end);
    // No number is given twice: what is missing leaves a gap, and this record stands behind it.
    if (known !== null && short !== null) end = { seq: known.seq, hash: end.hash };
    const isNew = end.seq === 0;
    if (anchors.onDisk === null) anchor.begin(end);
    if (short?.kind === "cut") add("audit-cut", { missing_from: short.from, missing_to: short.to });
    if (short?.kind === "altered") add("audit-altered", { record: short.seq });
    if (anchors.onDisk === null && !isNew) add("audit-anchored", { after: end.seq });
    if (tail.tornBytes > 0) add("audit-repaired", { torn_bytes: tail.tornBytes });
  };
  return {
    record(event, fields) {
      locked(() => {
        if (machine.followPath()) takeUp();
        add(event, fields);
      });
    },
    sync: shared(async () => {
      const upTo = end;
      await machine.sync();
      if (!isClosed) locked(() => anchor.synced(upTo));
    }),
    close() {
      if (isClosed) return;
      isClosed = true;
      machine.close();
      if (end.seq > 0) locked(() => anchor.synced(end));
      people.close();
      lock.close();
    },
  };
}

/** Where a full disk must not keep from the VM what it waits for. */
export function recordQuietly(audit: Audit, event: string, fields: AuditFields): void {
  try {
    audit.record(event, fields);
  } catch (error) {
    console.error(`audit: ${errorText(error)}`);
  }
}

/** @param atMs when it happened, by the clock of the records */
export type IsOnRecord = (
  event: string,
  request: { readonly vm: string; readonly id: string },
  atMs: number,
) => boolean;

/**
 * Looks for events of requests among the newest records, as they are now. What happened before
 * the oldest of these is taken for recorded: only the last event before a crash can be missing.
 */
export function newestRecords(auditFile: string): IsOnRecord {
  const tail = ifPresentSync(() => {
    using file = Deno.openSync(auditFile, { read: true });
    return readTail(file, file.statSync().size);
  });
  const text = new TextDecoder().decode(tail);
  const oldest = /"time":"([^"]+)"/.exec(text)?.[1];
  // A record of the same millisecond may have been cut off by the reading.
  const isCut = tail?.length === TAIL_BYTES;
  const sinceMs = oldest === undefined ? -Infinity : Date.parse(oldest) + (isCut ? 1 : 0);
  return (event, { vm, id }, atMs) =>
    atMs < sinceMs || text.includes(`"event":"${event}","vm":"${vm}","id":"${id}"`);
}

function readTail(file: Deno.FsFile, size: number): Uint8Array {
  const tail = new Uint8Array(Math.min(size, TAIL_BYTES));
  file.seekSync(size - tail.length, Deno.SeekMode.Start);
  for (let at = 0; at < tail.length;) at += file.readSync(tail.subarray(at)) ?? tail.length;
  return tail;
}

/** Calls during a run share the next one: it begins after all of them. */
function shared(run: () => Promise<void>): () => Promise<void> {
  let current = Promise.resolve();
  let next: Promise<void> | null = null;
  return () => {
    if (next !== null) return next;
    const begin = (): Promise<void> => {
      next = null;
      return run();
    };
    next = current.then(begin, begin);
    current = next;
    return next;
  };
}

/**
 * Where the chain ends. A last line without its newline was cut off by a crash or a full disk:
 * it is taken away, and the next record says so.
 */
function repairTail(path: string): { readonly end: ChainEnd; readonly tornBytes: number } {
  const start: ChainEnd = { seq: 0, hash: CHAIN_START };
  using file = Deno.openSync(path, { read: true, write: true });
  const { size } = file.statSync();
  const tail = readTail(file, size);
  const whole = tail.lastIndexOf(NEWLINE) + 1;
  const tornBytes = tail.length - whole;
  if (tornBytes > 0) file.truncateSync(size - tornBytes);
  const lines = new TextDecoder().decode(tail.subarray(0, whole)).trimEnd().split("\n");
  const last = lines.at(-1) ?? "";
  if (last === "") return { end: endOfOlderFile(path) ?? start, tornBytes };
  return { end: endOfLine(last) ?? start, tornBytes };
}

/** The first record of a file; null if it begins with something else. */
function firstOf(path: string): ChainEnd | null {
  using file = Deno.openSync(path, { read: true });
  const head = new Uint8Array(TAIL_BYTES);
  const length = file.readSync(head) ?? 0;
  return endOfLine(new TextDecoder().decode(head.subarray(0, length)).split("\n", 1)[0] ?? "");
}

/** After a rotation the new file is empty: the chain goes on from the one before. */
function endOfOlderFile(path: string): ChainEnd | null {
  const older = `${path}.1`;
  return !isPresent(older) ? null : repairTail(older).end;
}

/** DONE vm=work id=… exit=0 argv="qvm-ls" …: words bare, everything else quoted and escaped. */
export function formatEvent(event: string, fields: AuditFields): string {
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${formatValue(value)}`);
  return [event.toUpperCase(), ...shown].join(" ");
}

function formatValue(value: AuditValue): string {
  if (typeof value === "object" && value !== null) return value.map(formatValue).join(" ");
  const text = String(value);
  return /^[\w.:@\/+-]+$/.test(text) ? text : printable(text, 200);
}
