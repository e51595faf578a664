// SPDX-License-Identifier: GPL-2.0-or-later
/** OpenClaw and its Node: whether they are there, and new enough. @module */

import { exists } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { openclawFolder, openclawFolders } from "../openclaw_program.ts";
import { shown } from "../text.ts";
import { type DoctorScene, error, type Examine, type Finding, warning } from "./finding.ts";

type Version = readonly [number, number, number];

/** Known vulnerabilities, with the version that fixed each. */
const ADVISORIES: readonly (readonly [fixedIn: Version, name: string])[] = [
  [[2026, 1, 29], "CVE-2026-25253: a link takes the gateway's token"],
  [[2026, 2, 2], "CVE-2026-28472: the WebSocket does not check the device"],
  [[2026, 2, 14], "GHSA-943q-mwmv-hhvh: tools can be called over HTTP"],
];
/** What the shipped configurations were checked with. */
const TESTED: Version = [2026, 9, 6];
const START_MS = 60_000;
const SETUP = 'run "setup-vm PROVIDER" again: it installs the version that was tested';

/** Node that OpenClaw 2026.9 starts with: from 24.16, but not 25, or from 26.1. */
export function isNodeGood([major, minor]: Version): boolean {
  return (major === 24 && minor >= 16) || (major === 26 && minor >= 1) || major > 26;
}

export function readVersion(untrustedText: string): Version | null {
  const found = /\bv?(\d{1,4})\.(\d{1,4})\.(\d{1,4})\b/.exec(untrustedText);
  return found === null ? null : [Number(found[1]), Number(found[2]), Number(found[3])];
}

export function isOlder(version: Version, than: Version): boolean {
  for (const [at, part] of version.entries()) {
    if (part !== than[at]) return part < (than[at] ?? 0);
  }
  return false;
}

export const examineVersions: Examine = async (scene) => {
  if (scene.settings.role !== "agent") return [];
  const folder = await openclawFolder(scene.places);
  if (folder === null) {
    const looked = openclawFolders(scene.places).join(" and ");
    return [error("openclaw-missing", `OpenClaw is not in ${looked}`, 'run "setup-vm PROVIDER"')];
  }
  const node = await examineNode(scene, `${folder}/bin/node`);
  return node.length > 0 ? node : await examineOpenclaw(scene, `${folder}/bin/openclaw`);
};

async function examineNode(scene: DoctorScene, path: string): Promise<readonly Finding[]> {
  if (!await exists(path)) return []; // the launcher knows another one
  const said = await firstLine(scene, path);
  const version = readVersion(said);
  if (version !== null && isNodeGood(version)) return [];
  const text = `${path} is ${said === "" ? "no working Node" : `Node ${said}`}; OpenClaw starts ` +
    "with 24.16 or newer of 24, or from 26.1";
  return [error("node-old", text, SETUP)];
}

async function examineOpenclaw(scene: DoctorScene, path: string): Promise<readonly Finding[]> {
  const said = await firstLine(scene, path);
  const version = readVersion(said);
  if (version === null) {
    const text = `${path} --version says ${said === "" ? "nothing" : `"${said}"`}`;
    return [error("openclaw-missing", text, SETUP)];
  }
  const open = ADVISORIES.filter(([fixedIn]) => isOlder(version, fixedIn)).map(([, name]) => name);
  const name = `OpenClaw ${version.join(".")}`;
  if (open.length > 0) {
    return [error("openclaw-old", `${name} has known vulnerabilities: ${open.join("; ")}`, SETUP)];
  }
  if (!isOlder(version, TESTED)) return [];
  return [warning("openclaw-old", `${name} is older than ${TESTED.join(".")}`, SETUP)];
}

async function firstLine({ run }: DoctorScene, program: string): Promise<string> {
  try {
    const { untrustedOut, untrustedErr } = await run([program, "--version"], START_MS);
    return shown((untrustedOut || untrustedErr).trim().split("\n")[0] ?? "", 100);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return "";
  }
}
