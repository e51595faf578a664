// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * When to restart a part, and when not to. Pure: what was seen and the time go in, what to do
 * comes out.
 *
 *     well --a failure--> failing --N in a row--> restart --> a time of grace --> well or failing
 *      ^                     |                       |
 *      '------ any answer ---'                       '-- too many in an hour: given up, until it
 *                                                        is well again
 *
 * Only "unreachable" and "unhealthy" are failures. A provider's outage, a refused key, another program
 * on the port: these are reported, but a restart would fix none of them.
 *
 * @module
 */

import type { UnitState } from "../probe/units.ts";
import { type Verdict, verdictText } from "../probe/verdict.ts";
import type { WatchSettings } from "./settings.ts";

const HOUR_MS = 3_600_000;
/** BSD's EX_CONFIG, and the usage error of our own programs: the next start would end the same. */
const CONFIG_EXITS: ReadonlySet<number> = new Set([2, 78]);

export interface Seen {
  readonly verdict: Verdict;
  /** null: not asked, or the part runs in another VM. */
  readonly unit: UnitState | null;
}

export interface Watched {
  readonly failures: number;
  readonly restartsMs: readonly number[];
  readonly givenUp: boolean;
  readonly graceUntilMs: number;
  /** What was reported last: nothing is reported twice. */
  readonly told: string;
}

export const NOT_YET_SEEN: Watched = {
  failures: 0,
  restartsMs: [],
  givenUp: false,
  graceUntilMs: 0,
  told: "",
};

export type Action =
  | { readonly kind: "restart"; readonly reason: string }
  | { readonly kind: "say"; readonly level: "info" | "warning" | "error"; readonly text: string };

export interface Step {
  readonly watched: Watched;
  readonly actions: readonly Action[];
}

/** Whether systemd has to be asked what this means. */
export function needsUnit({ kind }: Verdict): boolean {
  return kind === "unreachable" || kind === "unhealthy" || kind === "starting";
}

export function step(before: Watched, seen: Seen, nowMs: number, settings: WatchSettings): Step {
  const { verdict, unit } = seen;
  switch (verdict.kind) {
    case "ok":
      return well(before, "info", "ok");
    case "degraded":
      return well(before, "warning", verdictText(verdict));
    case "unauthenticated":
    case "stranger":
      return well(before, "error", `${verdictText(verdict)}; a restart would not help`);
    case "draining":
      return tell(before, "info", "it lets its work end");
    case "starting":
      return isStarting(unit, nowMs, settings) ? tell(before, "info", "it is starting") : failed(
        before,
        { ...seen, verdict: { kind: "unhealthy", text: "it never gets started" } },
        nowMs,
        settings,
      );
    case "unreachable":
    case "unhealthy":
      return failed(before, seen, nowMs, settings);
    default:
      return verdict satisfies never;
  }
}

/** It answers: whatever else is wrong, the failure count starts again. */
function well(before: Watched, level: "info" | "warning" | "error", text: string): Step {
  const back = before.givenUp || before.failures > 0;
  const watched = { ...before, failures: 0, givenUp: false, graceUntilMs: 0 };
  return tell(watched, level, text, back);
}

function failed(
  before: Watched,
  { verdict, unit }: Seen,
  nowMs: number,
  settings: WatchSettings,
): Step {
  const why = verdictText(verdict);
  const hold = holdReason(before, unit, nowMs, settings);
  if (hold !== null) return tell({ ...before, failures: 0 }, hold.level, `${why}; ${hold.text}`);
  const failures = before.failures + 1;
  const counted = { ...before, failures };
  if (failures < settings.failures) {
    return tell(counted, "warning", `${why} (${failures} of ${settings.failures})`);
  }
  if (before.givenUp) return tell(counted, "error", before.told);
  const restartsMs = before.restartsMs.filter((atMs) => atMs > nowMs - HOUR_MS);
  if (settings.restart === "no") return tell(counted, "error", `${why}; restarts are switched off`);
  if (restartsMs.length >= settings.restartsPerHour) {
    const text = `${why}; ${restartsMs.length} restarts in an hour did not help: given up. ` +
      "Look at its journal; the watchdog goes on when it answers again";
    return tell({ ...counted, restartsMs, givenUp: true }, "error", text);
  }
  const lastMs = restartsMs.at(-1);
  const waitMs = settings.backoffSeconds * 1000 * 2 ** (restartsMs.length - 1);
  if (lastMs !== undefined && nowMs < lastMs + waitMs) {
    return tell({ ...counted, restartsMs }, "warning", `${why}; the next restart is held back`);
  }
  return restarted({ ...before, restartsMs }, why, nowMs, settings);
}

/** Also for a restart that has another reason than a failure. */
export function restarted(
  before: Watched,
  reason: string,
  nowMs: number,
  settings: WatchSettings,
): Step {
  const restartsMs = [...before.restartsMs.filter((atMs) => atMs > nowMs - HOUR_MS), nowMs];
  const graceUntilMs = nowMs + settings.startSeconds * 1000;
  return {
    watched: { ...before, failures: 0, restartsMs, graceUntilMs, told: "" },
    actions: [{ kind: "restart", reason }],
  };
}

function holdReason(
  before: Watched,
  unit: UnitState | null,
  nowMs: number,
  settings: WatchSettings,
): { readonly level: "info" | "warning" | "error"; readonly text: string } | null {
  if (unit === null) return { level: "warning", text: "it runs in another VM" };
  if (unit.load !== "loaded") {
    return { level: "error", text: `systemd has no usable ${unit.unit} (${unit.load})` };
  }
  if (unit.active === "deactivating") return { level: "info", text: "it lets its work end" };
  if (unit.active === "activating" || unit.active === "reloading") {
    return { level: "info", text: "it is starting" };
  }
  if (unit.active === "inactive") return { level: "info", text: "it was stopped" };
  if (unit.active === "failed" && CONFIG_EXITS.has(unit.exitStatus ?? 0)) {
    const text = `it ended with code ${unit.exitStatus}: its configuration is wrong`;
    return { level: "error", text };
  }
  const starting = nowMs < before.graceUntilMs ||
    (unit.active === "active" && isStarting(unit, nowMs, settings));
  return starting ? { level: "info", text: "it was started a moment ago" } : null;
}

function isStarting(
  unit: UnitState | null,
  nowMs: number,
  { startSeconds }: WatchSettings,
): boolean {
  if (unit === null || unit.active !== "active") return true;
  return unit.activeSinceMs !== null && nowMs < unit.activeSinceMs + startSeconds * 1000;
}

function tell(
  watched: Watched,
  level: "info" | "warning" | "error",
  text: string,
  again = false,
): Step {
  if (watched.told === text && !again) return { watched, actions: [] };
  return { watched: { ...watched, told: text }, actions: [{ kind: "say", level, text }] };
}
