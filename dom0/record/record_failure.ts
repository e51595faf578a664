// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which records tell that something went wrong: for "audit show --failed", the report and the web
 * admin alike.
 *
 * @module
 */

import { EXIT_OF_KIND } from "../../shared/protocol/outcome.ts";

const ENDS: ReadonlySet<string> = new Set(Object.keys(EXIT_OF_KIND));

/** Trouble with the daemon, the record, or a VM that breaks the protocol. */
const TROUBLE: ReadonlySet<string> = new Set([
  "problem",
  "violation",
  "failed",
  "spool-failed",
  "outcome-not-kept",
  "auth-backoff",
  "audit-cut",
  "audit-altered",
  "audit-anchored",
  "audit-repaired",
]);

/** Whether a request ended with it. */
export function isEnd(event: string): boolean {
  return ENDS.has(event);
}

export function isTrouble(event: string): boolean {
  return TROUBLE.has(event);
}

/** @param exit the record's exit code, if it has one */
export function isFailure(event: string, exit: unknown): boolean {
  return isTrouble(event) || (event === "done" ? exit !== 0 : isEnd(event));
}
