// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw.json: judged by OpenClaw itself, and a few settings that are worse here than elsewhere. @module */

import { exists, ifPresent, readPrivate } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { asText } from "../../probe/as_text.ts";
import { isObject } from "../../settings/shape.ts";
import { openclawFolder, runOpenclaw } from "../openclaw_program.ts";
import { openclawJsonPath, tokenPath } from "../scene.ts";
import { shown } from "../text.ts";
import { type DoctorScene, error, type Examine, type Finding, warning } from "./finding.ts";

const SHOWN_ISSUES = 5;
const MAX_BYTES = 4 * 1024 * 1024;

export const examineOpenclawConfig: Examine = async (scene) => {
  if (scene.settings.role !== "agent") return [];
  const path = openclawJsonPath(scene.places);
  const setup = 'run "setup-vm PROVIDER"';
  if (!await exists(path)) return [error("config-missing", `there is no ${path}`, setup)];
  const token = await exists(tokenPath(scene.places)) ? [] : [
    error("token-missing", `there is no ${tokenPath(scene.places)}`, setup),
  ];
  const judged = await openclawFolder(scene.places) === null ? [] : await validate(scene, path);
  return [...token, ...judged, ...await riskySettings(path)];
};

async function validate(scene: DoctorScene, path: string): Promise<readonly Finding[]> {
  const fix = `correct it there; then "openclaw-ctl restart gateway"`;
  let out: string;
  try {
    out = (await runOpenclaw(scene, ["config", "validate", "--json"])).untrustedOut;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [warning("config-rejected", `OpenClaw does not judge ${path}: ${error.message}`, fix)];
  }
  const result = jsonObject(out);
  if (result?.["valid"] === true) return [];
  const issues = Array.isArray(result?.["issues"]) ? result["issues"].filter(isObject) : [];
  const texts = issues.slice(0, SHOWN_ISSUES).map(({ path: at, message }) =>
    `${shown(asText(at), 80)}: ${shown(asText(message), 200)}`
  );
  const text = `OpenClaw rejects ${path}: ${texts.join("; ") || "it does not say why"}`;
  return [error("config-rejected", text, fix)];
}

/** Through a tunnel everyone is "local" to the gateway, so what it grants to local clients matters. */
async function riskySettings(path: string): Promise<readonly Finding[]> {
  const value = jsonObject(await readOrEmpty(path));
  const gateway = value?.["gateway"];
  if (!isObject(gateway)) return [];
  const { bind, nodes, terminal } = gateway;
  const pairing = isObject(nodes) ? nodes["pairing"] : null;
  const findings: Finding[] = [];
  const risky = (text: string, fix: string) => findings.push(warning("config-risky", text, fix));
  if (bind !== "loopback") {
    risky('gateway.bind is not "loopback": other machines may reach it', 'set it to "loopback"');
  }
  if (!isObject(pairing) || pairing["autoApproveLocal"] !== false) {
    risky(
      "gateway.nodes.pairing.autoApproveLocal is not false: anyone with the token is paired without a question",
      "set it to false",
    );
  }
  if (!isObject(terminal) || terminal["enabled"] !== false) {
    risky("gateway.terminal.enabled is not false: the dashboard has a shell", "set it to false");
  }
  return findings;
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await ifPresent(readPrivate(path, MAX_BYTES)) ?? "";
  } catch (error) {
    if (error instanceof UserError) return ""; // its mode is another finding
    throw error;
  }
}

function jsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
