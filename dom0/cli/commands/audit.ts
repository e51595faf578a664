// SPDX-License-Identifier: GPL-2.0-or-later
/** audit show, audit report, audit verify. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { unknownCommand } from "../../../shared/cli/did_you_mean.ts";
import { expectWords, parseNumber, parseWords } from "../../../shared/cli/options.ts";
import { UsageError } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import {
  allAuditFiles,
  type AuditRecord,
  checkChainFiles,
  checkKeptRecords,
  linesOf,
  parseRecord,
} from "../../record/audit_files.ts";
import { formatEvent } from "../../record/audit_log.ts";
import { isFailure } from "../../record/record_failure.ts";
import { createReportMaker, reportText } from "../../record/audit_report.ts";
import { type Operator } from "../operator.ts";
import { vmFromWord } from "../../operator/vm_word.ts";

const ACTIONS: ReadonlyMap<
  string,
  (operator: Operator, words: readonly string[]) => Promise<number>
> = new Map([["show", show], ["report", report], ["verify", verify]]);

export async function audit(operator: Operator, words: readonly string[]): Promise<number> {
  const [action, ...more] = words;
  const run = ACTIONS.get(action ?? "");
  if (run !== undefined) return await run(operator, more);
  if (action === undefined) throw new UsageError("audit requires: show | report | verify");
  throw unknownCommand(
    "audit command",
    action,
    [...ACTIONS.keys()],
    '"audit show|report|verify"',
  );
}

async function show(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(
    words,
    {
      vm: "value",
      since: "value",
      failed: "flag",
      json: "flag",
      lines: "value",
    },
    { n: "lines" },
    "anywhere",
  );
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 audit show [--vm VM] [--since TIME] [--failed]");
  const vmWord = options.value("vm");
  const vm = vmWord === undefined ? null : vmFromWord(vmWord);
  const sinceMs = parseSince(options.value("since"));
  const most = options.value("lines");
  const limit = most === undefined ? Infinity : parseNumber("--lines", most, 1, 1e9);
  const wanted = (record: AuditRecord): boolean =>
    (vm === null || record["vm"] === vm) &&
    Date.parse(record.time) >= sinceMs &&
    (!options.has("failed") || isFailure(record.event, record["exit"]));

  const found: string[] = [];
  for (const path of await allAuditFiles(operator.paths.auditFile)) {
    for await (const line of linesOf(path)) {
      const record = parseRecord(line);
      if (record !== null && !wanted(record)) continue;
      found.push(options.has("json") ? line : describe(record, line));
      if (found.length > limit) found.shift();
    }
  }
  for (const line of found) operator.print(`${line}\n`);
  return 0;
}

function describe(record: AuditRecord | null, line: string): string {
  if (record === null) return `not a record: ${printable(line)}`;
  const { time, event, prev: _prev, hash: _hash, seq, ...fields } = record;
  return `${time} #${seq} ${formatEvent(event, fields)}`;
}

/** A date and time, or a span back from now: 90s, 15m, 6h, 2d. */
function parseSince(text: string | undefined): number {
  if (text === undefined) return 0;
  const [, count, unit = ""] = /^([0-9]{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = new Map([["s", 1e3], ["m", 60e3], ["h", 3600e3], ["d", 86400e3]]).get(unit);
  if (count !== undefined && unitMs !== undefined) return dateMs() - Number(count) * unitMs;
  const time = /^[0-9]{4}-/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`--since takes a date, or 90s, 15m, 6h, 2d, got: ${printable(text)}`);
  }
  return time;
}

async function verify(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 audit verify [--json]");
  const { paths } = operator;
  const kept = await checkKeptRecords(paths.auditFile);
  const chain = await checkChainFiles(paths);
  const findings = [...kept.findings, ...chain.findings];
  const { records, notes, end: { seq, hash }, anchored } = chain;
  const ok = findings.length === 0;
  if (options.has("json")) {
    const { file, line, why } = findings[0] ?? {};
    const first = ok ? {} : { file, line, why };
    const counts = { records, last: seq, hash, anchored, kept: kept.records };
    operator.print(JSON.stringify({ ok, ...first, ...counts, findings, notes }) + "\n");
    return ok ? 0 : 1;
  }
  for (const { kind, file, line, why } of findings.slice(0, MAX_FINDINGS)) {
    operator.print(`BROKEN at ${line === null ? file : `${file}:${line}`}: ${why} (${kind})\n`);
  }
  if (findings.length > MAX_FINDINGS) {
    operator.print(`... and ${findings.length - MAX_FINDINGS} more: --json has all\n`);
  }
  if (ok && records > 0) {
    operator.print(
      `${records} records, unbroken. The last is #${seq} ${hash.slice(0, 8)}, ` +
        (anchored === seq ? "and the anchor says so, too.\n" : `anchored up to #${anchored}.\n`),
    );
  } else if (ok) operator.print("No records yet.\n");
  for (const note of notes) operator.print(`${note}\n`);
  if (kept.records > 0 && kept.findings.length === 0) {
    operator.print(
      `${kept.records} older ones, in files whose beginning was dropped, are unbroken within each file.\n`,
    );
  }
  return ok ? 0 : 1;
}

const MAX_FINDINGS = 20;
async function report(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { since: "value", json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 audit report [--since TIME] [--json]");
  const sinceMs = parseSince(options.value("since") ?? "7d");
  const maker = createReportMaker();
  for (const path of await allAuditFiles(operator.paths.auditFile)) {
    for await (const line of linesOf(path)) {
      const record = parseRecord(line);
      if (record !== null && Date.parse(record.time) >= sinceMs) maker.add(record);
    }
  }
  const made = maker.report();
  operator.print(options.has("json") ? JSON.stringify(made) + "\n" : reportText(made));
  return 0;
}
