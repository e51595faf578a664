// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The audit on disk: qvm-remote.audit.jsonl (chained, for machines) and qvm-remote.log (one
 * escaped line per event, for people, and on the daemon's stdout for the journal). Both are
 * only appended to, 0600, and rotated by size: NAME, NAME.1 (younger) … NAME.8 (oldest), and
 * NAME.kept, what each VM's share keeps of those that were dropped.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { syncFolderOf } from "../../shared/io/durable.ts";
import { PRIVATE_FILE } from "../../shared/io/files.ts";
import { ifPresentSync, isPresent } from "../../shared/io/sync_files.ts";
import { errorText, writeAll } from "../../shared/io/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import {
  type AuditFields,
  type AuditValue,
  CHAIN_START,
  type ChainEnd,
  chainRecord,
  endOfLine,
} from "./audit_chain.ts";
import { keepShares, keptFile } from "./audit_share.ts";

const MAX_FILE_BYTES = 16 * 1024 * 1024;
export const KEPT_FILES = 8;
/** Of a file's size each VM keeps this part of what is dropped. */
const SHARES = 8;
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

export interface AuditOptions {
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
  const machine = openAppended(auditFile, maxFileBytes);
  const people = openAppended(logFile, maxFileBytes);
  let end: ChainEnd = { seq: 0, hash: CHAIN_START };

  const add = (event: string, fields: AuditFields): void => {
    const time = new Date(dateMs()).toISOString();
    const record = chainRecord(end, time, event, fields);
    machine.append(record.line);
    end = record;
    const line = `${time} #${end.seq} ${end.hash.slice(0, 8)} ${formatEvent(event, fields)}\n`;
    // A line that a full disk cut in its middle stays, but the next one begins anew.
    if (people.followPath() && isCutOff(logFile)) people.append("\n");
    people.append(line);
    alsoTo(line);
  };
  return {
    record(event, fields) {
      lock.lockSync(true);
      try {
        if (machine.followPath()) {
          const tail = repairTail(auditFile);
          end = tail.end;
          if (tail.tornBytes > 0) {
            machine.followPath();
            add("audit-repaired", { torn_bytes: tail.tornBytes });
          }
        }
        add(event, fields);
      } finally {
        lock.unlockSync();
      }
    },
    sync: shared(machine.sync),
    close() {
      machine.close();
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

interface AppendedFile {
  /** Opens the file anew if another process rotated it or added to it; says whether it did. */
  followPath(): boolean;
  append(line: string): void;
  /** What was appended, and the file's name, are on the disk. */
  sync(): Promise<void>;
  close(): void;
}

function openAppended(path: string, maxFileBytes: number): AppendedFile {
  let file: Deno.FsFile | null = null;
  let inode: number | null = null;
  let length = -1;
  let isNameSynced = false;
  let isUnsynced = false;
  const open = (): void => {
    // It may be rotated away: whoever waits for a sync then waits for that of another file.
    if (isUnsynced) file?.syncDataSync();
    file?.close();
    [isNameSynced, isUnsynced] = [false, false];
    file = Deno.openSync(path, { append: true, create: true, mode: PRIVATE_FILE });
    const info = file.statSync();
    [inode, length] = [info.ino, info.size];
  };
  return {
    followPath() {
      const info = ifPresentSync(() => Deno.statSync(path));
      if (file !== null && info !== undefined && info.ino === inode && info.size === length) {
        return false;
      }
      open();
      return true;
    },
    append(line) {
      if (file === null) open();
      if (length > maxFileBytes) {
        rotate(path, maxFileBytes);
        open();
      }
      if (file === null) return;
      isUnsynced = true;
      writeAll(file, line);
      length += line.length;
    },
    async sync() {
      isUnsynced = false;
      await file?.syncData();
      if (!isNameSynced) await syncFolderOf(path);
      isNameSynced = true;
    },
    close() {
      file?.close();
      file = null;
    },
  };
}

function rotate(path: string, maxFileBytes: number): void {
  const oldest = `${path}.${KEPT_FILES}`;
  try {
    if (isPresent(oldest)) keepShares(oldest, keptFile(path), maxFileBytes / SHARES);
  } catch (error) { // on a full disk the rotation itself is what makes room
    console.error(`audit: nothing was kept of ${oldest}: ${errorText(error)}`);
  }
  for (let age = KEPT_FILES; age >= 1; age--) {
    const from = age === 1 ? path : `${path}.${age - 1}`;
    if (isPresent(from)) Deno.renameSync(from, `${path}.${age}`);
  }
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

function isCutOff(path: string): boolean {
  using file = Deno.openSync(path, { read: true });
  const { size } = file.statSync();
  if (size === 0) return false;
  const last = new Uint8Array(1);
  file.seekSync(size - 1, Deno.SeekMode.Start);
  file.readSync(last);
  return last[0] !== NEWLINE;
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
