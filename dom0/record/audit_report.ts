// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The audit for people, on one page: which VM did what to which qube, how often, and how it ended; what
 * operators did; what went wrong. Records go in one by one. Pure.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";
import { SHELL } from "../operations/table.ts";
import type { AuditRecord } from "./audit_files.ts";
import type { AuditValue } from "./audit_chain.ts";
import { isTrouble } from "./record_failure.ts";
import { createRequestHistory, isGood, type PastRequest } from "./request_history.ts";

/** One kind of thing that a VM did to the same qubes. */
export interface ReportRow {
  readonly operation: string;
  /** Of a script: its beginning. */
  readonly command: string;
  /** "dom0" for none. */
  readonly targets: readonly string[];
  readonly done: number;
  /** Ended, but not with exit code 0. */
  readonly failed: number;
  /** How often for each reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly last: string;
}

export interface Report {
  readonly records: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly vms: readonly { readonly vm: string; readonly rows: readonly ReportRow[] }[];
  readonly operators: readonly Counted[];
  /** What an operator should look at. */
  readonly problems: readonly Counted[];
}

export interface Counted {
  readonly what: string;
  readonly count: number;
  readonly last: string;
}

export interface ReportMaker {
  add(record: AuditRecord): void;
  report(): Report;
}

const COMMAND_CHARS = 40;

export function createReportMaker(): ReportMaker {
  const history = createRequestHistory();
  const operators = new Map<string, Counted>();
  const problems = new Map<string, Counted>();
  let [records, first, last]: [number, string | null, string | null] = [0, null, null];

  return {
    add(record) {
      const { event, time } = record;
      records++;
      first ??= time;
      last = time;
      if (event === "operator") {
        const { vm, action } = record;
        count(operators, [textOf(action), textOf(vm)].join(" ").trimEnd(), time);
      } else if (isTrouble(event)) {
        const { vm, problem, violation } = record;
        const about = [vm, problem ?? violation].map(textOf).filter((text) => text !== "");
        count(problems, [event, ...about].join(" "), time);
      } else history.add(record);
    },
    report: () => ({
      records,
      first,
      last,
      vms: byVm(history.requests()),
      operators: [...operators.values()],
      problems: [...problems.values()],
    }),
  };
}

function count(counted: Map<string, Counted>, what: string, last: string): void {
  counted.set(what, { what, count: (counted.get(what)?.count ?? 0) + 1, last });
}

function textOf(value: AuditValue | undefined): string {
  return value === undefined || value === null ? "" : String(value);
}

function byVm(requests: Iterable<PastRequest>): Report["vms"] {
  const vms = new Map<string, Map<string, ReportRow>>();
  for (const { vm, operation, command, targets, end, lastTime: last } of requests) {
    const rows = vms.get(vm) ?? new Map<string, ReportRow>();
    vms.set(vm, rows);
    const text = operation === SHELL ? command.slice(0, COMMAND_CHARS) : "";
    const key = JSON.stringify([operation, text, targets]);
    const row = rows.get(key) ??
      { operation, command: text, targets, done: 0, failed: 0, refused: {}, last };
    const reason = end?.kind === "refused" ? end.reason : undefined;
    rows.set(key, {
      ...row,
      done: row.done + (end !== null && isGood(end) ? 1 : 0),
      failed: row.failed + (end === null || end.kind === "refused" || isGood(end) ? 0 : 1),
      refused: reason === undefined
        ? row.refused
        : { ...row.refused, [reason]: (row.refused[reason] ?? 0) + 1 },
      last: last > row.last ? last : row.last,
    });
  }
  return [...vms].toSorted(([a], [b]) => a < b ? -1 : 1)
    .map(([vm, rows]) => ({ vm, rows: [...rows.values()].toSorted(byTotal) }));
}

function total({ done, failed, refused }: ReportRow): number {
  return Object.values(refused).reduce((sum, n) => sum + n, done + failed);
}

function byTotal(a: ReportRow, b: ReportRow): number {
  return total(b) - total(a) || (a.last < b.last ? 1 : -1);
}

/** Rows of one VM, and of each list: what makes a page. */
const MAX_ROWS = 12;
const HEAD = "  times  failed  refused  last              what";

/** The page. */
export function reportText({ records, first, last, vms, operators, problems }: Report): string {
  if (first === null || last === null) return "Nothing is on record for that time.\n";
  const lines = [`${shortTime(first)} to ${shortTime(last)} UTC, records: ${records}`];
  for (const { vm, rows } of vms) {
    lines.push("", `VM ${printableWord(vm)}`, HEAD, ...firstOf(rows.map(rowText)));
  }
  const listed = (title: string, counted: readonly Counted[]): void => {
    if (counted.length === 0) return;
    lines.push("", title, ...firstOf(counted.map(countedText)));
  };
  listed("Operators in dom0", operators);
  listed("Problems", problems);
  return lines.join("\n") + "\n";
}

function firstOf(lines: readonly string[]): readonly string[] {
  const more = lines.length - MAX_ROWS;
  return more <= 0
    ? lines
    : [...lines.slice(0, MAX_ROWS), `  ... and ${more} more: --json has all`];
}

function rowText(row: ReportRow): string {
  const { operation, command, targets, failed, refused, last } = row;
  const reasons = Object.entries(refused);
  const denied = reasons.reduce((sum, [, n]) => sum + n, 0);
  const what = [
    operation === "" ? "(not read)" : operation,
    ...targets.map(printableWord),
    ...command === "" ? [] : [printable(command, COMMAND_CHARS)],
    ...reasons.length === 0 ? [] : [`(${reasons.map(([why, n]) => `${why} ${n}`).join(", ")})`],
  ];
  const numbers = [cell(total(row), 7), cell(failed, 8), cell(denied, 9)].join("");
  return `${numbers}  ${shortTime(last)}  ${what.join(" ")}`;
}

function countedText({ what, count, last }: Counted): string {
  const text = /^[\x20-\x7e]{1,120}$/.test(what) ? what : printable(what, 120);
  return `${cell(count, 7)}${" ".repeat(17)}  ${shortTime(last)}  ${text}`;
}

function cell(n: number, width: number): string {
  return (n === 0 ? "-" : String(n)).padStart(width);
}

function shortTime(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}

function printableWord(text: string): string {
  return /^[\w.@-]{1,64}$/.test(text) ? text : printable(text, 64);
}
