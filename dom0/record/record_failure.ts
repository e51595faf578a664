// SPDX-License-Identifier: GPL-2.0-or-later
/** Which records tell of no success: "audit show --failed" and the web admin's filter. @module */

import { EXIT_OF_KIND } from "../../shared/protocol/outcome.ts";
import type { AuditRecord } from "./audit_files.ts";

const FAILED: ReadonlySet<string> = new Set([
  ...Object.keys(EXIT_OF_KIND).filter((kind) => kind !== "done"),
  "violation",
  "failed",
  "problem",
  "spool-failed",
  "outcome-not-kept",
]);

export function isFailure(record: AuditRecord): boolean {
  return FAILED.has(record.event) || (record.event === "done" && record["exit"] !== 0);
}
