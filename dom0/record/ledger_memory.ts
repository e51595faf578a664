// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the ledger remembers: requests that were taken, each with its date, and the dates of those
 * it no longer has. An entry leaves when a request that old would be refused by its date. But the
 * clock may be set back after that; so the dates of what left are kept, as ranges, and a request
 * that could have been taken on one of them may have run. Pure.
 *
 *     taken at 09:00 | clock +400 s: it leaves, range ..09:00 | clock right again: 09:00 is fresh,
 *     and not in the ledger; but a request of that date overlaps the range
 *
 * As text, one line each, in order of time:
 *
 *     forgotten PROTOCOL FROM-MS TO-MS
 *     TIME-MS PROTOCOL VM ID [DIGEST]
 *     answered VM ID
 *
 * With a digest the request is owed an outcome: if nothing else of it is left after a power cut, dom0
 * can still tell it from another of that id, and say that it may have run.
 *
 * @module
 */

import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { rememberForMs, takenBetween } from "../../shared/protocol/freshness.ts";
import { type DateRange, overlapping, withRange } from "./date_ranges.ts";

export type Protocol = AuthenticRequest["protocol"];
export const PROTOCOLS: readonly Protocol[] = [1, 2];

/** If the clock is set back by no more than this, requests are still known by id and no new one is refused. */
const KEEP_AHEAD_MS = 3600 * 1000;
const ENTRY = /^([0-9]{1,15}) ([12]) ([^ ]+) ([^ ]+)(?: ([0-9a-f]{32}))?$/;
const ANSWERED = /^answered ([^ ]+) ([^ ]+)$/;
/** Of the 64 of a digest: enough to tell two requests apart, and half the memory. */
const DIGEST_DIGITS = 32;
const RANGE = /^([a-z]+) ([12]) ([0-9]{1,15}) ([0-9]{1,15})$/;

export type RangesByProtocol = Map<Protocol, readonly DateRange[]>;

export type Taken = Pick<AuthenticRequest, "vm" | "id" | "protocol" | "digest">;

interface Entry {
  readonly atMs: number;
  /** null: its outcome was acknowledged. */
  readonly digest: string | null;
}

export interface LedgerMemory {
  has(vm: string, id: string): boolean;
  remember(request: Taken, atMs: number): void;
  /** Whether this very request was taken, and its VM has not acknowledged an outcome. */
  owes(request: Taken): boolean;
  /** False if it did not owe one. */
  answered(vm: string, id: string): boolean;
  /** The dates in these ranges count as forgotten: what was taken then is not known. */
  loseRanges(ranges: RangesByProtocol): void;
  forgetOld(nowMs: number): void;
  /** The range of forgotten dates on which a request with this date may have been taken. */
  forgottenFor(dated: Pick<AuthenticRequest, "protocol" | "issuedAtMs">): DateRange | undefined;
  /** Whether something was taken, or forgotten, in that time. */
  knowsOf(protocol: Protocol, range: DateRange): boolean;
  size(): number;
  /** Entries of one VM. */
  count(vm: string): number;
  text(): string;
}

export function createLedgerMemory(text = ""): LedgerMemory {
  const known: Known = {
    taken: { 1: new Map(), 2: new Map() },
    perVm: new Map(),
    forgotten: parseRanges("forgotten", text),
  };
  const { taken, perVm, forgotten } = known;
  readEntries(known, text);
  return {
    has: (vm, id) => PROTOCOLS.some((protocol) => taken[protocol].has(`${vm} ${id}`)),
    remember({ protocol, vm, id, digest }, atMs) {
      remember(known, protocol, vm, id, { atMs, digest: digest.slice(0, DIGEST_DIGITS) });
    },
    owes({ protocol, vm, id, digest }) {
      return taken[protocol].get(`${vm} ${id}`)?.digest === digest.slice(0, DIGEST_DIGITS);
    },
    answered: (vm, id) => answered(known, vm, id),
    loseRanges(ranges) {
      for (const [protocol, lost] of ranges) for (const range of lost) lose(known, protocol, range);
    },
    forgetOld(nowMs) {
      for (const protocol of PROTOCOLS) forgetOld(known, protocol, nowMs);
    },
    forgottenFor: (dated) => overlapping(forgotten.get(dated.protocol) ?? [], takenBetween(dated)),
    knowsOf: (protocol, range) =>
      overlapping(forgotten.get(protocol) ?? [], range) !== undefined ||
      taken[protocol].values().some(({ atMs }) => range.fromMs <= atMs && atMs <= range.toMs),
    size: () => taken[1].size + taken[2].size,
    count: (vm) => perVm.get(vm) ?? 0,
    text() {
      const entries = PROTOCOLS.flatMap((protocol) =>
        [...taken[protocol]].map(([key, entry]) => lineOf(protocol, key, entry))
      );
      return rangesText("forgotten", forgotten) + entries.join("");
    },
  };
}

interface Known {
  /** By "VM ID". Insertion order is the order of taking, one map for each time span. */
  readonly taken: Readonly<Record<Protocol, Map<string, Entry>>>;
  /** How many entries each VM has. */
  readonly perVm: Map<string, number>;
  readonly forgotten: RangesByProtocol;
}

function readEntries(known: Known, text: string): void {
  // What follows the last newline was cut off by a crash: nothing of it ran.
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const [, ofVm = "", ofId = ""] = ANSWERED.exec(line) ?? [];
    answered(known, ofVm, ofId);
    const [, atMs, protocol, vm, id, digest = null] = ENTRY.exec(line) ?? [];
    if (atMs === undefined || vm === undefined || id === undefined) continue;
    remember(known, protocol === "1" ? 1 : 2, vm, id, { atMs: Number(atMs), digest });
  }
}

function remember(
  { taken, perVm }: Known,
  protocol: Protocol,
  vm: string,
  id: string,
  entry: Entry,
): void {
  const key = `${vm} ${id}`;
  if (!taken[protocol].has(key)) perVm.set(vm, (perVm.get(vm) ?? 0) + 1);
  taken[protocol].set(key, entry);
}

function answered({ taken }: Known, vm: string, id: string): boolean {
  const key = `${vm} ${id}`;
  for (const protocol of PROTOCOLS) {
    const entry = taken[protocol].get(key);
    if (entry === undefined || entry.digest === null) continue;
    taken[protocol].set(key, { ...entry, digest: null }); // its place in the order stays
    return true;
  }
  return false;
}

function lose({ forgotten }: Known, protocol: Protocol, range: DateRange): void {
  forgotten.set(protocol, withRange(forgotten.get(protocol) ?? [], range));
}

function forgetOld(known: Known, protocol: Protocol, nowMs: number): void {
  const oldest = nowMs - rememberForMs(protocol);
  for (const [key, { atMs }] of known.taken[protocol]) {
    if (atMs >= oldest && atMs <= nowMs + KEEP_AHEAD_MS) break;
    forget(known, protocol, key, atMs);
  }
}

function forget(known: Known, protocol: Protocol, key: string, atMs: number): void {
  const { taken, perVm } = known;
  const vm = key.slice(0, key.indexOf(" "));
  const left = (perVm.get(vm) ?? 0) - 1;
  if (left > 0) perVm.set(vm, left);
  else perVm.delete(vm);
  taken[protocol].delete(key);
  lose(known, protocol, { fromMs: atMs, toMs: atMs });
}

export function entryLine({ protocol, vm, id, digest }: Taken, atMs: number): string {
  return lineOf(protocol, `${vm} ${id}`, { atMs, digest: digest.slice(0, DIGEST_DIGITS) });
}

export function answeredLine(vm: string, id: string): string {
  return `answered ${vm} ${id}\n`;
}

function lineOf(protocol: Protocol, key: string, { atMs, digest }: Entry): string {
  return `${atMs} ${protocol} ${key}${digest === null ? "" : ` ${digest}`}\n`;
}

export function rangesText(word: string, ranges: RangesByProtocol): string {
  return [...ranges].flatMap(([protocol, known]) =>
    known.map(({ fromMs, toMs }) => `${word} ${protocol} ${fromMs} ${toMs}\n`)
  ).join("");
}

/** Lines of other words are not looked at. */
export function parseRanges(word: string, text: string): RangesByProtocol {
  const ranges: RangesByProtocol = new Map();
  for (const line of text.split("\n")) {
    const [, found, digit, fromMs, toMs] = RANGE.exec(line) ?? [];
    if (found !== word || fromMs === undefined || toMs === undefined) continue;
    const protocol = digit === "1" ? 1 : 2;
    const range = { fromMs: Number(fromMs), toMs: Number(toMs) };
    ranges.set(protocol, withRange(ranges.get(protocol) ?? [], range));
  }
  return ranges;
}
