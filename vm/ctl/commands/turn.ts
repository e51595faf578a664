// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl start", "stop" and "restart". @module */

import { type Part, showUnits, turnUnit, unitOf, type UnitVerb } from "../../probe/units.ts";
import type { Outcome, Scene } from "../scene.ts";
import { shown } from "../text.ts";

const DONE: Readonly<Record<UnitVerb, string>> = {
  start: "started",
  stop: "stopped",
  restart: "restarted",
};

/**
 * One after the other: the gateway should start after the proxy. Stopping goes the other way round, so
 * that the watchdog goes first and restarts nothing.
 */
export async function turn(
  scene: Scene,
  verb: UnitVerb,
  parts: readonly Part[],
): Promise<Outcome> {
  const { settings, run } = scene;
  const results: { unit: string; ok: boolean; detail: string }[] = [];
  const hints = new Set<string>();
  for (const part of verb === "stop" ? parts.toReversed() : parts) {
    const name = unitOf(part, settings);
    const [state] = await showUnits([name], run);
    if (state !== undefined && state.load === "not-found") {
      results.push({ unit: name.unit, ok: false, detail: "systemd knows no such unit" });
      hints.add('"openclaw-ctl doctor" says what is missing');
      continue;
    }
    const failure = await turnUnit(name, verb, run, "wait");
    results.push({ unit: name.unit, ok: failure === null, detail: shown(failure ?? DONE[verb]) });
    if (failure === null) continue;
    const sudo = name.scope === "system" ? "sudo systemctl" : "systemctl --user";
    hints.add(`try: ${sudo} ${verb} ${name.unit}`);
  }
  const lines = results.map(({ unit, ok, detail }) =>
    `${unit}: ${ok ? "" : "FAILED: "}${detail}\n`
  );
  return {
    ok: results.every(({ ok }) => ok),
    text: lines.join("") + [...hints].map((hint) => `hint: ${hint}\n`).join(""),
    json: { units: results },
  };
}
