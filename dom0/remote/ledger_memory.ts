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
 *     TIME-MS PROTOCOL VM ID
 *
 * @module
 */

import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { rememberForMs, takenBetween } from "../../shared/protocol/freshness.ts";
import { type DateRange, overlapping, withRange } from "./date_ranges.ts";

export type Protocol = AuthenticRequest["protocol"];
export const PROTOCOLS: readonly Protocol[] = [1, 2];

/** A clock that is set back by no more keeps what it knows by id, and refuses nothing new. */
const KEEP_AHEAD_MS = 3600 * 1000;
const ENTRY = /^([0-9]{1,15}) ([12]) ([^ ]+) ([^ ]+)$/;
const RANGE = /^([a-z]+) ([12]) ([0-9]{1,15}) ([0-9]{1,15})$/;

export type RangesByProtocol = Map<Protocol, readonly DateRange[]>;

export interface LedgerMemory {
  has(vm: string, id: string): boolean;
  remember(protocol: Protocol, vm: string, id: string, atMs: number): void;
  /** The dates of these are forgotten too: what was taken then is not known. */
  loseRanges(ranges: RangesByProtocol): void;
  forgetOld(nowMs: number): void;
  /** The range of forgotten dates on which a request with this date may have been taken. */
  forgottenFor(dated: Pick<AuthenticRequest, "protocol" | "issuedAtMs">): DateRange | undefined;
  /** Whether it knows of something taken, or forgotten, in that time. */
  knowsOf(protocol: Protocol, range: DateRange): boolean;
  size(): number;
  /** Entries of one VM. */
  count(vm: string): number;
  text(): string;
}

export function createLedgerMemory(text = ""): LedgerMemory {
  // Insertion order is the order of taking, one map for each time span.
  const taken = new Map<Protocol, Map<string, number>>([[1, new Map()], [2, new Map()]]);
  const of = (protocol: Protocol): Map<string, number> => taken.get(protocol) ?? new Map();
  const perVm = new Map<string, number>();
  const forgotten = parseRanges("forgotten", text);
  const lose = (protocol: Protocol, range: DateRange): void => {
    forgotten.set(protocol, withRange(forgotten.get(protocol) ?? [], range));
  };

  const remember: LedgerMemory["remember"] = (protocol, vm, id, atMs) => {
    const key = `${vm} ${id}`;
    if (!of(protocol).has(key)) perVm.set(vm, (perVm.get(vm) ?? 0) + 1);
    of(protocol).set(key, atMs);
  };
  const forget = (protocol: Protocol, key: string, atMs: number): void => {
    const vm = key.slice(0, key.indexOf(" "));
    const left = (perVm.get(vm) ?? 0) - 1;
    if (left > 0) perVm.set(vm, left);
    else perVm.delete(vm);
    of(protocol).delete(key);
    lose(protocol, { fromMs: atMs, toMs: atMs });
  };
  // What follows the last newline was cut off by a crash: nothing of it ran.
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const [, atMs, protocol, vm, id] = ENTRY.exec(line) ?? [];
    if (atMs === undefined || vm === undefined || id === undefined) continue;
    remember(protocol === "1" ? 1 : 2, vm, id, Number(atMs));
  }
  return {
    has: (vm, id) => PROTOCOLS.some((protocol) => of(protocol).has(`${vm} ${id}`)),
    remember,
    loseRanges(ranges) {
      for (const [protocol, lost] of ranges) for (const range of lost) lose(protocol, range);
    },
    forgetOld(nowMs) {
      for (const protocol of PROTOCOLS) {
        const oldest = nowMs - rememberForMs(protocol);
        for (const [key, atMs] of of(protocol)) {
          if (atMs >= oldest && atMs <= nowMs + KEEP_AHEAD_MS) break;
          forget(protocol, key, atMs);
        }
      }
    },
    forgottenFor: (dated) => overlapping(forgotten.get(dated.protocol) ?? [], takenBetween(dated)),
    knowsOf: (protocol, range) =>
      overlapping(forgotten.get(protocol) ?? [], range) !== undefined ||
      of(protocol).values().some((atMs) => range.fromMs <= atMs && atMs <= range.toMs),
    size: () => of(1).size + of(2).size,
    count: (vm) => perVm.get(vm) ?? 0,
    text() {
      const entries = PROTOCOLS.flatMap((protocol) =>
        [...of(protocol)].map(([key, atMs]) => entryLine(protocol, key, atMs))
      );
      return rangesText("forgotten", forgotten) + entries.join("");
    },
  };
}

/** @param key the VM's name and the id */
export function entryLine(protocol: Protocol, key: string, atMs: number): string {
  return `${atMs} ${protocol} ${key}\n`;
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
