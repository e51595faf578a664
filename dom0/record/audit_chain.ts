// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Audit records: JSON lines, each with the hash of the one before it, so that a record cannot
 * be changed, taken out or put in without breaking every hash that follows. (Cutting off the
 * end leaves a good chain: the log for people repeats each record's number and hash.)
 *
 *     {"seq":7,"time":"…","event":"done","vm":"work",…,"prev":"<hash>","hash":"<hash>"}
 *
 * hash = SHA-256 of the line's bytes up to and without `,"hash":`.
 *
 * @module
 */

import { sha256Hex } from "../../shared/io/sha256.ts";

/** Before the first record. */
export const CHAIN_START = "0".repeat(64);

export type AuditValue = string | number | boolean | null | readonly string[];
export type AuditFields = Readonly<Record<string, AuditValue>>;

export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

export interface ChainedRecord extends ChainEnd {
  /** With its newline. */
  readonly line: string;
}

/** The fields that every record has: another field of that name would hide the real one. */
const OWN_FIELDS = ["seq", "time", "event", "prev", "hash"] as const;

export function chainRecord(
  end: ChainEnd,
  time: string,
  event: string,
  fields: AuditFields,
): ChainedRecord {
  const taken = OWN_FIELDS.find((name) => Object.hasOwn(fields, name));
  if (taken !== undefined) throw new Error(`bug: a record's own field ${taken} is set`);
  const seq = end.seq + 1;
  const open = JSON.stringify({ seq, time, event, ...fields, prev: end.hash }).slice(0, -1);
  const text = asciiOnly(open);
  const hash = sha256(text);
  return { seq, hash, line: `${text},"hash":"${hash}"}\n` };
}

export type ChainCheck =
  | { readonly ok: true; readonly end: ChainEnd; readonly records: number }
  | { readonly ok: false; readonly line: number; readonly why: string };

const RECORD = /^(\{"seq":([0-9]+),.*,"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}$/;

/** Follows a chain through the lines of one file, from where the file before it ended. */
export function checkChain(
  lines: Iterable<string>,
  before: ChainEnd | null,
): ChainCheck {
  let end = before;
  let records = 0;
  for (const line of lines) {
    records++;
    const [, text = "", seq = "", prev = "", hash = ""] = RECORD.exec(line) ?? [];
    const broken = (why: string): ChainCheck => ({ ok: false, line: records, why });
    if (hash === "") return broken("not a record");
    if (sha256(text) !== hash) return broken("its hash does not fit its text");
    if (end !== null && prev !== end.hash) return broken("it does not follow the record before it");
    if (end !== null && Number(seq) !== end.seq + 1) return broken("its number is out of order");
    end = { seq: Number(seq), hash };
  }
  return { ok: true, end: end ?? { seq: 0, hash: CHAIN_START }, records };
}

/** Seq and hash of a line; null if it is not a record. */
export function endOfLine(line: string): ChainEnd | null {
  const [, , seq, , hash] = RECORD.exec(line) ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash };
}

/** What a record's line says of its place in the chain. */
export interface RecordLink extends ChainEnd {
  readonly prev: string;
  /** Whether its hash is that of its text. */
  readonly isWhole: boolean;
  readonly event: string;
}

/** null: not a record. */
export function linkOf(line: string): RecordLink | null {
  const [, text = "", seq, prev = "", hash = ""] = RECORD.exec(line) ?? [];
  if (seq === undefined) return null;
  const [, event = ""] = /^\{"seq":[0-9]+,"time":"[^"]*","event":"([^"]*)"/.exec(text) ?? [];
  return { seq: Number(seq), prev, hash, event, isWhole: sha256(text) === hash };
}

function sha256(text: string): string {
  return sha256Hex(text);
}

/** JSON may carry any character; a terminal may act on some. Escaped, a line is plain ASCII. */
function asciiOnly(json: string): string {
  return json.replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
