// SPDX-License-Identifier: GPL-2.0-or-later
/** The files of the audit, oldest first: what is in them, and whether they are whole. @module */

import { createLineCutter } from "../../shared/io/lines.ts";
import { exists, ifPresent } from "../../shared/io/files.ts";
import { type AnchorPaths, readAnchors } from "./anchor.ts";
import { KEPT_FILES } from "./appended_file.ts";
import { type AuditFields, checkChain } from "./audit_chain.ts";
import { checkAudit, type CheckedAudit, type Finding } from "./audit_check.ts";
import { keptFile } from "./audit_share.ts";

export type AuditRecord = AuditFields & { readonly time: string; readonly event: string };

/** The files of the chain that exist. */
export async function chainFiles(auditFile: string): Promise<readonly string[]> {
  const paths = [auditFile];
  for (let age = 1; age <= KEPT_FILES; age++) paths.unshift(`${auditFile}.${age}`);
  const present = await Promise.all(paths.map((file) => ifPresent(Deno.stat(file))));
  return paths.filter((_, index) => present[index] !== undefined);
}

/** With what is kept of files that were dropped: single records, no longer a chain. */
export async function allAuditFiles(auditFile: string): Promise<readonly string[]> {
  const kept = keptFile(auditFile);
  return [...await exists(kept) ? [kept] : [], ...await chainFiles(auditFile)];
}

/** No record of ours is as long; a line that somebody put in may be. */
const MAX_LINE_CHARS = 16 * 1024 * 1024;

/** Line by line: the files may be large. A last line without newline counts too. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  using file = await Deno.open(path);
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(64 * 1024);
  const cutter = createLineCutter(MAX_LINE_CHARS);
  for (let got; (got = await file.read(buffer)) !== null;) {
    yield* cutter.push(decoder.decode(buffer.subarray(0, got)));
  }
  if (cutter.rest() !== "") yield cutter.rest();
}

/** null: not a record, as a changed line may not be one. */
export function parseRecord(line: string): AuditRecord | null {
  try {
    const value = JSON.parse(line);
    const isRecord = typeof value?.event === "string" && !Number.isNaN(Date.parse(value.time));
    return isRecord ? value : null;
  } catch {
    return null;
  }
}

/** The files may be rotated while they are read. */
const MAX_READINGS = 5;

/** Each of these can be checked by itself; whether one is missing between them is not known. */
export async function checkKeptRecords(
  auditFile: string,
): Promise<{ readonly findings: readonly Finding[]; readonly records: number }> {
  const file = keptFile(auditFile);
  const findings: Finding[] = [];
  let records = 0;
  if (!await exists(file)) return { findings, records };
  for await (const text of linesOf(file)) {
    records++;
    const check = checkChain([text], null);
    if (!check.ok) findings.push({ kind: "edited", file, line: records, why: check.why });
  }
  return { findings, records };
}

/** Follows the chain through all files, and compares it with its anchors. */
export async function checkChainFiles(
  paths: AnchorPaths & { readonly auditFile: string },
): Promise<CheckedAudit> {
  const { auditFile } = paths;
  for (let reading = 1;; reading++) {
    const anchors = readAnchors(paths);
    const files = await chainFiles(auditFile);
    const inodes = await inodesOf(files);
    const check = checkAudit(auditFile, anchors, files.length > KEPT_FILES);
    for (const file of files) {
      check.file(file);
      for await (const text of linesOf(file)) check.line(text);
    }
    const isSame = inodes === await inodesOf(await chainFiles(auditFile));
    if (isSame || reading === MAX_READINGS) return check.end();
  }
}

async function inodesOf(files: readonly string[]): Promise<string> {
  const infos = await Promise.all(files.map((file) => ifPresent(Deno.stat(file))));
  return infos.map((info) => info?.ino ?? "gone").join(" ");
}
