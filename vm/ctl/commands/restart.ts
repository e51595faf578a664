// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl restart". @module */

import { type Part, restartUnit, showUnits, unitOf } from "../../probe/units.ts";
import type { Outcome, Scene } from "../scene.ts";
import { shown } from "../text.ts";

/** One after the other: the gateway is better started with the proxy there. */
export async function restart(scene: Scene, parts: readonly Part[]): Promise<Outcome> {
  const { settings, run } = scene;
  const results: { unit: string; ok: boolean; detail: string }[] = [];
  const hints = new Set<string>();
  for (const part of parts) {
    const name = unitOf(part, settings);
    const [state] = await showUnits([name], run);
    if (state !== undefined && state.load === "not-found") {
      results.push({ unit: name.unit, ok: false, detail: "systemd knows no such unit" });
      hints.add('"openclaw-ctl doctor" says what is missing');
      continue;
    }
    const failure = await restartUnit(name, run, "wait");
    results.push({ unit: name.unit, ok: failure === null, detail: shown(failure ?? "restarted") });
    if (failure === null) continue;
    const sudo = name.scope === "system" ? "sudo systemctl" : "systemctl --user";
    hints.add(`try: ${sudo} restart ${name.unit}`);
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
