// SPDX-License-Identifier: GPL-2.0-or-later
/** audit show, audit verify. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { exists, ifPresent } from "../../../shared/io/files.ts";
import { unknownCommand } from "../../../shared/io/did_you_mean.ts";
import { expectWords, parseNumber, parseWords } from "../../../shared/io/options.ts";
import { UsageError } from "../../../shared/io/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { EXIT_OF_KIND } from "../../../shared/protocol/outcome.ts";
import {
  type AuditFields,
  CHAIN_START,
  type ChainCheck,
  type ChainEnd,
  checkChain,
} from "../../record/audit_chain.ts";
import { formatEvent, KEPT_FILES } from "../../record/audit_log.ts";
import { keptFile } from "../../record/audit_share.ts";
import { type Operator, vmFromWord } from "../operator.ts";

export async function audit(operator: Operator, words: readonly string[]): Promise<number> {
  const [action, ...more] = words;
  if (action === "show") return await show(operator, more);
  if (action === "verify") return await verify(operator, more);
  if (action === undefined) throw new UsageError("audit requires: show | verify");
  throw unknownCommand("audit command", action, ["show", "verify"], '"audit show|verify"');
}

/** Events that are no success, for --failed. */
const FAILED: ReadonlySet<string> = new Set([
  ...Object.keys(EXIT_OF_KIND).filter((kind) => kind !== "done"),
  ...["violation", "failed", "problem", "spool-failed", "outcome-not-kept"],
]);

type AuditRecord = AuditFields & { readonly time: string; readonly event: string };

async function show(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(
    words,
    {
      ...{ vm: "value", since: "value", failed: "flag", json: "flag", lines: "value" },
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
    (!options.has("failed") || FAILED.has(record.event) ||
      (record.event === "done" && record["exit"] !== 0));

  const found: string[] = [];
  const { auditFile } = operator.paths;
  for (const path of [...await present(keptFile(auditFile)), ...await auditFiles(auditFile)]) {
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

function parseRecord(line: string): AuditRecord | null {
  try {
    const value = JSON.parse(line);
    const isRecord = typeof value?.event === "string" && !Number.isNaN(Date.parse(value.time));
    return isRecord ? value : null; // a line that someone changed may be any JSON
  } catch {
    return null;
  }
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
  const { auditFile } = operator.paths;
  const isGood = (
    path: string,
    line: number,
    check: ChainCheck,
  ): check is ChainCheck & { ok: true } => {
    if (check.ok) return true;
    const broken = { ok: false, file: path, line, why: check.why };
    operator.print(
      options.has("json")
        ? JSON.stringify(broken) + "\n"
        : `BROKEN at ${path}:${line}: ${check.why}\n`,
    );
    return false;
  };
  // Each of these can be checked by itself; that none is missing between them, nobody can say.
  let kept = 0;
  for (const path of await present(keptFile(auditFile))) {
    for await (const text of linesOf(path)) {
      kept++;
      if (!isGood(path, kept, checkChain([text], null))) return 1;
    }
  }
  const files = await auditFiles(auditFile);
  // Only when the oldest files were dropped may the chain begin anywhere.
  let end: ChainEnd | null = files.length > KEPT_FILES ? null : { seq: 0, hash: CHAIN_START };
  let records = 0;
  for (const path of files) {
    let line = 0;
    for await (const text of linesOf(path)) {
      line++;
      const check = checkChain([text], end);
      if (!isGood(path, line, check)) return 1;
      end = check.end;
      records++;
    }
  }
  const { seq, hash } = end ?? { seq: 0, hash: "" };
  operator.print(
    options.has("json")
      ? JSON.stringify({ ok: true, records, last: seq, hash, kept }) + "\n"
      : `${records} records, unbroken. The last is #${seq} ${hash.slice(0, 8)}: compare it with ` +
        "the log or the journal, for a cut end leaves a good chain.\n" +
        (kept === 0
          ? ""
          : `${kept} older ones of files that were dropped are whole, each by itself.\n`),
  );
  return 0;
}

/** The file, if it is there. */
async function present(path: string): Promise<readonly string[]> {
  return await exists(path) ? [path] : [];
}

/** Oldest first. */
async function auditFiles(path: string): Promise<readonly string[]> {
  const paths = [path];
  for (let age = 1; age <= KEPT_FILES; age++) paths.unshift(`${path}.${age}`);
  const present = await Promise.all(paths.map((file) => ifPresent(Deno.stat(file))));
  return paths.filter((_, index) => present[index] !== undefined);
}

/** Line by line: the files may be large. A last line without newline counts too. */
async function* linesOf(path: string): AsyncGenerator<string> {
  using file = await Deno.open(path);
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(64 * 1024);
  let rest = "";
  for (let got; (got = await file.read(buffer)) !== null;) {
    const lines = (rest + decoder.decode(buffer.subarray(0, got))).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
