// SPDX-License-Identifier: GPL-2.0-or-later
/** When the watchdog restarts and when it does not: by table, and by random sequences. @module */

import { assert, assertEquals } from "@std/assert";
import type { UnitState } from "../../../vm/probe/units.ts";
import type { Verdict } from "../../../vm/probe/verdict.ts";
import { NOT_YET_SEEN, type Seen, step, type Watched } from "../../../vm/watchdog/machine.ts";
import { DEFAULT_WATCH } from "../../../vm/watchdog/settings.ts";
import { createPrng } from "../../fuzz/prng.ts";

const UNIT: UnitState = {
  ...{ part: "gateway", unit: "openclaw-gateway.service", scope: "user", load: "loaded" },
  ...{ active: "active", sub: "running", file: "enabled", exitStatus: 0, restarts: 0 },
  ...{ memoryBytes: null, cpuMs: null, activeSinceMs: 0 },
};
const HUNG: Verdict = { kind: "unhealthy", text: "no answer in 5 s" };
const GONE: Verdict = { kind: "unreachable", text: "nothing listens" };
const START_MS = 10_000_000;
const EVERY_MS = 30_000;

/** One observation each 30 s. @returns what was done: R restart, or the level of what was said */
function play(seen: readonly Seen[], settings = DEFAULT_WATCH): readonly string[] {
  let watched: Watched = NOT_YET_SEEN;
  return seen.map((one, at) => {
    const next = step(watched, one, START_MS + at * EVERY_MS, settings);
    watched = next.watched;
    return next.actions.map((action) => action.kind === "restart" ? "R" : action.level[0]).join("");
  });
}

const times = (count: number, seen: Seen): readonly Seen[] => Array(count).fill(seen);
const of = (verdict: Verdict, unit: Partial<UnitState> | null = {}): Seen => ({
  verdict,
  unit: unit === null ? null : { ...UNIT, ...unit },
});
const OK = of({ kind: "ok" }, null);

const TABLE: readonly (readonly [name: string, seen: readonly Seen[], done: string])[] = [
  ["well, said once", times(4, OK), "i,,,"],
  ["three failures in a row", [OK, ...times(3, of(HUNG))], "i,w,w,R"],
  ["gone, its unit active", [OK, ...times(3, of(GONE))], "i,w,w,R"],
  ["gone, its unit failed", times(3, of(GONE, { active: "failed", exitStatus: 1 })), "w,w,R"],
  ["two failures, then well", [of(HUNG), of(HUNG), OK, of(HUNG), of(HUNG)], "w,w,i,w,w"],
  ["a wrong configuration", times(9, of(GONE, { active: "failed", exitStatus: 78 })), "e,,,,,,,,"],
  ["stopped by someone", times(5, of(GONE, { active: "inactive" })), "i,,,,"],
  ["systemd is starting it", times(9, of(GONE, { active: "activating" })), "i,,,,,,,,"],
  ["it drains", times(9, of(HUNG, { active: "deactivating" })), "i,,,,,,,,"],
  ["it says that it drains", times(9, of({ kind: "draining" }, null)), "i,,,,,,,,"],
  ["a refused key", times(6, of({ kind: "unauthenticated", text: "x" }, null)), "e,,,,,"],
  ["a stranger on the port", times(6, of({ kind: "stranger", text: "x" }, null)), "e,,,,,"],
  ["a provider's outage", times(6, of({ kind: "degraded", text: "x" }, null)), "w,,,,,"],
  ["the part of another VM", times(6, of(GONE, null)), "w,,,,,"],
  ["no such unit", times(6, of(GONE, { load: "not-found" })), "e,,,,,"],
  [
    "just started: 120 s of grace, then three",
    times(8, of(GONE, { activeSinceMs: START_MS - 5_000 })),
    "i,,,,w,w,R,i",
  ],
  [
    "starting for ever is a failure after the time it has for that",
    times(7, of({ kind: "starting" }, { activeSinceMs: START_MS - 5_000 })),
    "i,,,,w,w,R",
  ],
  [
    "after a restart comes a time of grace",
    [...times(3, of(HUNG)), ...times(7, of(HUNG))],
    "w,w,R,i,,,w,w,R,i",
  ],
];

for (const [name, seen, done] of TABLE) {
  Deno.test(`watchdog: ${name}`, () => assertEquals(play(seen).join(","), done));
}

Deno.test("watchdog: three restarts in an hour, then it gives up, once, until it answers", () => {
  const done = play([...times(90, of(HUNG)), ...times(130, OK), ...times(60, of(HUNG))]);
  const before = done.slice(0, 90);
  assertEquals(before.filter((one) => one === "R").length, 3);
  assertEquals(before.filter((one) => one === "e").length, 1);
  assertEquals(done[90], "i");
  assert(done.slice(220).filter((one) => one === "R").length >= 1, "it goes on after that");
});

Deno.test("watchdog: restart no only says", () => {
  const done = play(times(9, of(HUNG)), { ...DEFAULT_WATCH, restart: "no" });
  assertEquals(done.join(","), "w,w,e,,,,,,");
});

Deno.test("watchdog: random sequences keep its promises", () => {
  const kinds: readonly Seen[] = [
    ...[OK, OK, of(HUNG), of(HUNG), of(HUNG), of(HUNG), of(GONE), of(GONE)],
    ...[of({ kind: "starting" }), of({ kind: "draining" }, null), of(HUNG, null)],
    ...[of({ kind: "degraded", text: "a" }, null), of({ kind: "stranger", text: "b" }, null)],
    ...[of({ kind: "unauthenticated", text: "c" }, null), of(GONE, { active: "inactive" })],
    ...[of(GONE, { active: "failed", exitStatus: 78 }), of(HUNG, { active: "activating" })],
  ];
  let restarts = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const { below } = createPrng(seed);
    let watched: Watched = NOT_YET_SEEN;
    let [nowMs, inARow] = [START_MS, 0];
    const atMs: number[] = [];
    let seen = OK;
    for (let round = 0; round < 300; round++) {
      nowMs += 1_000 + below(60_000);
      if (below(4) === 0) seen = kinds[below(kinds.length)] ?? OK; // else as it was
      const isFailure = seen.verdict.kind === "unreachable" || seen.verdict.kind === "unhealthy" ||
        seen.verdict.kind === "starting";
      inARow = isFailure ? inARow + 1 : seen.verdict.kind === "draining" ? inARow : 0;
      const next = step(watched, seen, nowMs, DEFAULT_WATCH);
      if (next.actions.some(({ kind }) => kind === "restart")) {
        assert(isFailure && inARow >= DEFAULT_WATCH.failures, `seed ${seed}: ${inARow} in a row`);
        assert(seen.unit !== null && seen.unit.active === "active", `seed ${seed}: not its to do`);
        assert(!watched.givenUp, `seed ${seed}: it had given up`);
        atMs.push(nowMs);
        const hour = atMs.filter((one) => one > nowMs - 3_600_000);
        assert(hour.length <= DEFAULT_WATCH.restartsPerHour, `seed ${seed}: ${hour.length}`);
        restarts++;
      }
      assert(next.actions.length <= 1, "one thing at a time");
      watched = next.watched;
    }
  }
  assert(restarts > 300, `only ${restarts} restarts were tried out`);
});
