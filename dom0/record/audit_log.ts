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
import { PRIVATE_FILE } from "../../shared/io/private_modes.ts";
import { ifPresentSync } from "../../shared/io/sync_files.ts";
import { errorText } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import {
  type AnchorPaths,
  type AnchorWriter,
  createAnchorWriter,
  newestAnchor,
  shortfall,
} from "./anchor.ts";
import { type AppendedFile, isCutOff, openAppended } from "./appended_file.ts";
import {
  type AuditFields,
  type AuditValue,
  CHAIN_START,
  type ChainEnd,
  chainRecord,
} from "./audit_chain.ts";
import { firstOf, readTail, repairTail, TAIL_BYTES } from "./audit_tail.ts";

const MAX_FILE_BYTES = 16 * 1024 * 1024;

export interface Audit {
  /** @throws if it cannot be written: what cannot be recorded must not happen. */
  record(event: string, fields: AuditFields): void;
  /** Resolves when what was recorded until now is on the disk; calls at once share a sync. */
  sync(): Promise<void>;
  close(): void;
}

export interface AuditOptions extends AnchorPaths {
  readonly auditFile: string;
  readonly logFile: string;
  readonly dateMs: () => number;
  /** Also gets each line of the log for people. */
  readonly alsoTo?: (line: string) => void;
  readonly maxFileBytes?: number;
}

/**
 * Several of our programs may record at once (the daemon, an operator's command): each record
 * is made under a lock, on the end that the chain has then.
 */
export function openAudit(options: AuditOptions): Audit {
  Deno.mkdirSync(dirname(options.auditFile), { recursive: true });
  const lock = openLock(`${options.auditFile}.lock`);
  const files = openFiles(options);
  const chain = createChain(options, files);
  let isClosed = false;
  return {
    record(event, fields) {
      lock.holding(() => {
        if (files.machine.followPath()) chain.takeUp();
        chain.add(event, fields);
      });
    },
    sync: shared(async () => {
      const upTo = chain.end();
      await files.machine.sync();
      if (!isClosed) lock.holding(() => files.anchor.synced(upTo));
    }),
    close() {
      if (isClosed) return;
      isClosed = true;
      files.machine.close();
      const end = chain.end();
      if (end.seq > 0) lock.holding(() => files.anchor.synced(end));
      files.people.close();
      lock.close();
    },
  };
}

interface Lock {
  holding(run: () => void): void;
  close(): void;
}

function openLock(path: string): Lock {
  const file = Deno.openSync(path, { write: true, create: true, mode: PRIVATE_FILE });
  return {
    holding(run) {
      file.lockSync(true);
      try {
        run();
      } finally {
        file.unlockSync();
      }
    },
    close: () => file.close(),
  };
}

interface AuditFiles {
  readonly machine: AppendedFile;
  readonly people: AppendedFile;
  readonly anchor: AnchorWriter;
}

function openFiles(options: AuditOptions): AuditFiles {
  const { auditFile, logFile, maxFileBytes = MAX_FILE_BYTES } = options;
  const anchor = createAnchorWriter(options);
  const machine = openAppended(auditFile, maxFileBytes, (nextOldest) => {
    const first = firstOf(nextOldest);
    if (first !== null) anchor.dropping(first.seq - 1);
  });
  return { machine, people: openAppended(logFile, maxFileBytes), anchor };
}

/** The chain as this program knows it. To add to it, hold the lock. */
interface Chain {
  add(event: string, fields: AuditFields): void;
  /** Continues after what other programs wrote. */
  takeUp(): void;
  end(): ChainEnd;
}

function createChain(options: AuditOptions, { machine, people, anchor }: AuditFiles): Chain {
  const { auditFile, logFile, dateMs, alsoTo = () => {} } = options;
  let end: ChainEnd = { seq: 0, hash: CHAIN_START };
  const add = (event: string, fields: AuditFields): void => {
    const time = new Date(dateMs()).toISOString();
    const record = chainRecord(end, time, event, fields);
    machine.append(record.line);
    end = record;
    anchor.recorded(end);
    const line = `${time} #${end.seq} ${end.hash.slice(0, 8)} ${formatEvent(event, fields)}\n`;
    // A line that a full disk cut short stays; the next one begins on a new line.
    if (people.followPath() && isCutOff(logFile)) people.append("\n");
    people.append(line);
    alsoTo(line);
  };
  return {
    add,
    takeUp() {
      const tail = repairTail(auditFile);
      end = tail.end;
      if (tail.tornBytes > 0) machine.followPath();
      const anchors = anchor.read();
      const known = newestAnchor(anchors);
      const short = known === null ? null : shortfall(known, end);
      // No number is used twice: missing records leave a gap, and this record comes after it.
      if (known !== null && short !== null) end = { seq: known.seq, hash: end.hash };
      const isNew = end.seq === 0;
      if (anchors.onDisk === null) anchor.begin(end);
      if (short?.kind === "cut") {
        add("audit-cut", { missing_from: short.from, missing_to: short.to });
      }
      if (short?.kind === "altered") add("audit-altered", { record: short.seq });
      if (anchors.onDisk === null && !isNew) add("audit-anchored", { after: end.seq });
      if (tail.tornBytes > 0) add("audit-repaired", { torn_bytes: tail.tornBytes });
    },
    end: () => end,
  };
}

/** Records what must reach the VM even if the disk is full. */
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
 * Looks for events of requests among the newest records. Events older than those count as recorded:
 * only the last event before a crash can be missing.
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
