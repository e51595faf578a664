// SPDX-License-Identifier: GPL-2.0-or-later
/** Pages of the record, newest first: each file is read from its end, and no further than needed. @module */

import { readAt } from "../../shared/io/read_at.ts";
import { ifPresentSync } from "../../shared/io/sync_files.ts";
import { allAuditFiles, type AuditRecord, parseRecord } from "../record/audit_files.ts";
import { lineFilter } from "../record/line_filter.ts";
import { isEnd, isFailure } from "../record/record_failure.ts";
import type { JsonValue } from "../operations/operation.ts";

export interface PageQuery {
  readonly vm: string | null;
  readonly failedOnly: boolean;
  readonly text: string;
  readonly sinceMs: number;
  readonly before: number | null;
  readonly limit: number;
}

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
const MOST_RECORDS = 10_000;

/**
 * Beyond the page, so far back it is looked for what was asked in a request whose end is on the page: the
 * record of an end does not say it again.
 */
const MOST_BEYOND = 1_000;

/** @returns { records, hasMore }; a request's end has what was asked as `asked` */
export async function readRecordPage(auditFile: string, query: PageQuery): Promise<JsonValue> {
  const limit = Math.min(query.limit, MOST_RECORDS);
  const isFound = lineFilter(query.text);
  const records: PageRecord[] = [];
  const unnamed = new Map<string, PageRecord>();
  let beyond = 0;
  let hasMore = false;
  let isFull = false;
  for (const path of (await allAuditFiles(auditFile)).toReversed()) {
    for (const line of linesFromEnd(path)) {
      const record = parseRecord(line);
      if (record === null) continue;
      nameEnd(unnamed, record);
      isFull ||= Date.parse(record.time) < query.sinceMs;
      if (isFull && (unnamed.size === 0 || beyond++ === MOST_BEYOND)) return { records, hasMore };
      if (isFull || !fits(record, query) || !isFound(line)) continue;
      if (records.length === limit) {
        isFull = hasMore = true;
        continue;
      }
      const shown = asValue(record);
      records.push(shown);
      if (isEnd(record.event)) unnamed.set(keyOf(record), shown);
    }
  }
  return { records, hasMore };
}

type PageRecord = Record<string, JsonValue>;

function keyOf({ vm, id }: AuditRecord): string {
  return `${vm} ${id}`;
}

/** The first record of a request says what was asked. */
function nameEnd(unnamed: Map<string, PageRecord>, record: AuditRecord): void {
  const end = unnamed.get(keyOf(record));
  if (end === undefined || record["operation"] === undefined) return;
  end.asked = record["operation"];
  unnamed.delete(keyOf(record));
}

function fits(record: AuditRecord, query: PageQuery): boolean {
  const { vm, before, failedOnly } = query;
  return (vm === null || record["vm"] === vm) &&
    (before === null || Number(record["seq"]) < before) &&
    (!failedOnly || isFailure(record.event, record["exit"]));
}

function asValue(record: AuditRecord): PageRecord {
  const { time, event, seq, prev: _prev, hash: _hash, ...fields } = record;
  return { seq: Number(seq), time, event, fields };
}

/** The last line first. */
function* linesFromEnd(path: string): Generator<string> {
  const file = ifPresentSync(() => Deno.openSync(path, { read: true }));
  if (file === undefined) return;
  using open = file;
  let end = open.statSync().size;
  let rest: Uint8Array = new Uint8Array(0);
  const decoder = new TextDecoder();
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const bytes = new Uint8Array(end - start + rest.length);
    readAt(open, start, bytes.subarray(0, end - start));
    bytes.set(rest, end - start);
    end = start;
    const first = start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
    if (start > 0 && first === 0) {
      rest = bytes;
      continue;
    }
    rest = bytes.subarray(0, first);
    const lines = decoder.decode(bytes.subarray(first)).split("\n");
    for (const line of lines.toReversed()) if (line !== "") yield line;
  }
}
