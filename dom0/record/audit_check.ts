// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether the audit is as it was written: follows the chain through all files, compares it with its
 * anchors, and names the kind of each fault. Pure: the caller reads the files.
 *
 * @module
 */

import { type Anchors, newestAnchor } from "./anchor.ts";
import { CHAIN_START, type ChainEnd, linkOf, type RecordLink } from "./audit_chain.ts";

export type FindingKind =
  /** A record was changed after it was written. */
  | "edited"
  /** Records were taken out of a file. */
  | "deleted"
  /** A whole file is gone. */
  | "file-deleted"
  /** A line that the daemon did not write there. */
  | "put-in"
  /** The newest records are gone. */
  | "cut"
  /** There is no anchor, so how far the audit had come is not known. */
  | "anchor-missing";

export interface Finding {
  readonly kind: FindingKind;
  readonly file: string;
  /** From 1 on; null: it is about the file as a whole. */
  readonly line: number | null;
  readonly why: string;
}

export interface CheckedAudit {
  readonly findings: readonly Finding[];
  /** What the reader of the result should know; not faults. */
  readonly notes: readonly string[];
  readonly records: number;
  readonly end: ChainEnd;
  /** Up to this record nothing can be cut off unnoticed; null: there is no anchor. */
  readonly anchored: number | null;
}

export interface AuditCheck {
  /** What comes next is in this file. */
  file(name: string): void;
  line(text: string): void;
  end(): CheckedAudit;
}

/**
 * @param anchors read before the files, so that the audit can only have grown since
 * @param mayBeginAnywhere the oldest files were dropped, and no anchor says how far
 */
export function checkAudit(
  auditFile: string,
  anchors: Anchors,
  mayBeginAnywhere: boolean,
): AuditCheck {
  const check: Check = {
    anchors,
    dropped: anchors.onDisk?.dropped ?? (mayBeginAnywhere ? null : 0),
    findings: [],
    notes: [],
    place: { file: auditFile, line: 0 },
    before: null,
    records: 0,
  };
  return {
    file: (name) => void (check.place = { file: name, line: 0 }),
    line(text) {
      const { file, line } = check.place;
      check.place = { file, line: line + 1 };
      check.records++;
      checkLine(check, text);
    },
    end() {
      check.place = { file: auditFile, line: 0 };
      return checkEnd(check);
    },
  };
}

/** How far it is read, and what was found. */
interface Check {
  readonly anchors: Anchors;
  /** The last record of files that were dropped; null: it is not known. */
  readonly dropped: number | null;
  readonly findings: Finding[];
  readonly notes: string[];
  place: { readonly file: string; readonly line: number };
  /** The last record of the chain so far. */
  before: (ChainEnd & { readonly file: string }) | null;
  records: number;
}

function found(check: Check, kind: FindingKind, why: string): void {
  const { file, line } = check.place;
  check.findings.push({ kind, file, line: line === 0 ? null : line, why });
}

function checkLine(check: Check, text: string): void {
  const link = linkOf(text);
  if (link === null) return found(check, "edited", "not a record");
  if (!link.isWhole) found(check, "edited", "its hash does not fit its text");
  else compare(check, link);
  if (!follows(check, link)) return;
  if (link.event === "audit-anchored") {
    check.notes.push(
      `The anchor was begun with #${link.seq}: whether an end was cut off before that is not known.`,
    );
  }
  check.before = { seq: link.seq, hash: link.hash, file: check.place.file };
}

function compare(check: Check, link: RecordLink): void {
  for (const one of [check.anchors.onDisk, check.anchors.live]) {
    if (one?.seq !== link.seq || one.hash === link.hash) continue;
    return found(check, "edited", `it is not the record #${link.seq} that was anchored`);
  }
}

/** Whether the record belongs here; one that does not is left out of the chain. */
function follows(check: Check, link: RecordLink): boolean {
  const { before, place } = check;
  if (before === null) {
    checkFirst(check, link);
    return true;
  }
  if (link.seq <= before.seq) {
    found(check, "put-in", `record #${link.seq} stands behind #${before.seq}`);
    return false;
  }
  const missing = numbers(before.seq + 1, link.seq - 1);
  if (link.event === "audit-cut" && link.isWhole) {
    found(check, "cut", `${missing} before it: they had been cut off when the daemon went on`);
  } else if (link.seq > before.seq + 1) {
    if (place.file !== before.file) {
      found(check, "file-deleted", `${missing} before it, a whole file`);
    } else found(check, "deleted", `${missing} before it`);
  } else if (link.event === "audit-altered" && link.isWhole) {
    const altered = `#${before.seq} was not the record it had written`;
    found(check, "edited", `when the daemon went on, ${altered}`);
  } else if (link.prev !== before.hash) found(check, "edited", DOES_NOT_FOLLOW);
  return true;
}

function checkFirst(check: Check, link: RecordLink): void {
  const last = check.dropped ?? link.seq - 1;
  if (link.seq > last + 1) {
    const missing = numbers(last + 1, link.seq - 1);
    found(check, "file-deleted", `${missing} before it, a whole file`);
  } else if (link.seq === 1 && link.prev !== CHAIN_START) found(check, "edited", DOES_NOT_FOLLOW);
}

function checkEnd(check: Check): CheckedAudit {
  const { anchors, dropped, findings, notes, records } = check;
  const anchor = newestAnchor(anchors);
  const { seq, hash }: ChainEnd = check.before ?? { seq: dropped ?? 0, hash: CHAIN_START };
  if (anchor !== null && seq < anchor.seq) {
    found(check, "cut", `${numbers(seq + 1, anchor.seq)} at the end: it was cut off`);
  }
  if (anchors.onDisk === null && records > 0) found(check, "anchor-missing", NO_ANCHOR);
  if (anchor !== null && seq > anchor.seq) notes.push(behind(seq - anchor.seq, anchor.seq));
  return { findings, notes, records, end: { seq, hash }, anchored: anchor?.seq ?? null };
}

const DOES_NOT_FOLLOW = "it does not follow the record before it: one of the two was changed";
const NO_ANCHOR = "its anchor is missing, so a cut end is not noticed. That is so once, after an " +
  "upgrade, until the daemon runs; later somebody has removed it";

function behind(count: number, anchored: number): string {
  return `The anchor is of #${anchored}, ${count} before the end: this is so after a power cut, while ` +
    "the daemon writes, or if somebody put an old anchor in its place.";
}

function numbers(from: number, to: number): string {
  return from >= to ? `record #${from} is missing` : `records #${from} to #${to} are missing`;
}
