// SPDX-License-Identifier: GPL-2.0-or-later
/** What dom0's answers tell: the clock, the policy, the versions. Pure. @module */

import { MAX_REQUEST_LEAD_MS } from "../../../shared/protocol/limits.ts";
import type { Access, Decision } from "../client/access.ts";
import { bad, type Finding, ok, unknown } from "./finding.ts";

/** What dom0 says of itself. */
export interface About {
  readonly version: string;
  readonly timeMs: number;
}

/** null: it is no such answer. */
export function parseAbout(value: unknown): About | null {
  if (typeof value !== "object" || value === null) return null;
  const { version, time } = value as Readonly<Record<string, unknown>>;
  const timeMs = typeof time === "string" ? Date.parse(time) : NaN;
  if (typeof version !== "string" || !/^[0-9A-Za-z.+~-]{1,40}$/.test(version)) return null;
  return Number.isFinite(timeMs) ? { version, timeMs } : null;
}

const SYNC = 'run "sudo qvm-sync-clock" here and "qvm-sync-clock" in dom0';

/** @param askedAtMs, answeredAtMs by this VM's clock: dom0 looked at its own in between */
export function clockFinding(about: About, askedAtMs: number, answeredAtMs: number): Finding {
  const aheadMs = about.timeMs - (askedAtMs + answeredAtMs) / 2;
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  const text = `${seconds} s ${aheadMs < 0 ? "ahead of" : "behind"} dom0`;
  return Math.abs(aheadMs) <= MAX_REQUEST_LEAD_MS ? ok("clock", text) : bad("clock", text, SYNC);
}

export function versionFinding(here: string, inDom0: string): Finding {
  return ok("version", `${here} here, ${inDom0} in dom0`);
}

/** Kinds of operations, by what they may do, and the words for them. */
const KINDS = [["monitor", "read"], ["manage", "change"], ["full", "run anything"]] as const;

export function policyFinding(access: Access): Finding {
  const all = [...access.values()];
  const words = (wanted: Decision): readonly string[] =>
    KINDS.flatMap(([level, word]) => {
      const own = all.filter((one) => one.level === level);
      const some = own.filter(({ decision }) => decision === wanted).length;
      if (some === 0) return [];
      return [some === own.length ? word : `${word} (${some} of ${own.length} operations)`];
    });
  const [may, asks] = [words("allow"), words("ask")];
  if (may.length === 0 && asks.length === 0) {
    const remedy = 'in dom0, "qvm-remote-dom0 authorize --grant ask VM" lets it read, and ask';
    return bad("policy", "may do nothing", remedy);
  }
  if (all.every(({ decision }) => decision === "allow")) return ok("policy", "may do everything");
  const left = all.some(({ decision }) => decision === "deny") ? "; no more" : "";
  const isTheRest = left === "" && may.length > 0;
  const parts = [
    ...may.length === 0 ? [] : [`may ${may.join(", ")}`],
    ...asks.length === 0 ? [] : [`asks for ${isTheRest ? "the rest" : asks.join(", ")}`],
  ];
  return ok("policy", parts.join("; ") + left);
}

export function versionUnknown(here: string, isOlder: boolean): Finding {
  return isOlder
    ? unknown(
      "version",
      `${here} here; dom0's is older, and does not say which`,
      "update qubes-claw in dom0",
    )
    : unknown("version", `${here} here; dom0 could not be asked`);
}
