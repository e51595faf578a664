// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl doctor": looks for known problems, and says what to do. @module */

import { ifPresent, readPrivate } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { gatewayUrl } from "../../probe/probe.ts";
import { error, type Examine, type Finding } from "../doctor/finding.ts";
import { examineKeys, examineMemory } from "../doctor/keys.ts";
import { examineOpenclawConfig } from "../doctor/openclaw_config.ts";
import { examinePrivateFiles } from "../doctor/private_files.ts";
import { examinePorts, examineUnits } from "../doctor/services.ts";
import { examineVersions } from "../doctor/versions.ts";
import { ANSWER_MS, type Outcome, type Scene, tokenPath } from "../scene.ts";
import { takeSnapshot } from "../snapshot.ts";

const MAX_TOKEN_BYTES = 4096;

/** Only useful once the gateway answers. */
const examineToken: Examine = async ({ settings, snapshot, places, shakeHands }) => {
  const kind = snapshot.gateway?.verdict.kind;
  if (settings.role !== "agent" || (kind !== "ok" && kind !== "degraded")) return [];
  let text: string | undefined;
  try {
    text = await ifPresent(readPrivate(tokenPath(places), MAX_TOKEN_BYTES));
  } catch (problem) {
    if (problem instanceof UserError) return []; // its mode is a finding of its own
    throw problem;
  }
  if (text === undefined) return [];
  const result = await shakeHands(gatewayUrl(settings), text.trim(), ANSWER_MS);
  if (result.kind !== "refused" || result.error !== "token-mismatch") return [];
  const fix = "openclaw-ctl restart gateway";
  return [error("token-refused", "the gateway refuses ~/.openclaw/gateway-token", fix)];
};

const EXAMINATIONS: readonly Examine[] = [
  examineVersions,
  examineOpenclawConfig,
  examinePrivateFiles,
  examineKeys,
  examineMemory,
  examineUnits,
  examinePorts,
  examineToken,
];

export async function doctor(
  scene: Scene,
  machine: { readonly memoryBytes: () => number; readonly uid: number | null },
): Promise<Outcome> {
  const whole = { ...scene, ...machine, snapshot: await takeSnapshot(scene) };
  const findings = (await Promise.all(EXAMINATIONS.map((examine) => examine(whole)))).flat();
  return doctorOutcome(findings);
}

export function doctorOutcome(findings: readonly Finding[]): Outcome {
  const errors = findings.filter(({ level }) => level === "error").length;
  const lines = findings.toSorted((a, b) => a.level < b.level ? -1 : a.level > b.level ? 1 : 0)
    .map(({ id, level, text, fix }) => `${level}: ${id}: ${text}\n  fix: ${fix}\n`);
  const summary = findings.length === 0
    ? "nothing was found\n"
    : `${errors} errors, ${findings.length - errors} warnings\n`;
  return { ok: errors === 0, text: lines.join("") + summary, json: { findings } };
}
