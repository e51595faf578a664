// SPDX-License-Identifier: GPL-2.0-or-later
/** Who may read and write what holds secrets. @module */

import { ifPresent } from "../../../shared/io/files.ts";
import { vmSettingsPath } from "../../settings/vm_settings.ts";
import { type DoctorScene, error, type Examine, type Finding } from "./finding.ts";

const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

/** In ~/.openclaw. OpenClaw copies its configuration, with all that is in it, into the last two. */
const SECRET_FILES = [
  "openclaw.json",
  "gateway-token",
  "proxy.env",
  "proxy-use.sqlite",
  "openclaw.json.bak",
  "openclaw.json.last-good",
];

export const examinePrivateFiles: Examine = async (scene) => {
  const { home } = scene.places;
  const folder = `${home}/.openclaw`;
  const checks = [
    examineOne(scene, folder, OTHERS, "700"),
    ...SECRET_FILES.map((name) => examineOne(scene, `${folder}/${name}`, OTHERS, "600")),
    examineOne(scene, `${folder}/proxy.json`, OTHERS_WRITE, "600"),
    examineOne(scene, vmSettingsPath(home), OTHERS_WRITE, "600"),
  ];
  return (await Promise.all(checks)).flat();
};

async function examineOne(
  { uid }: DoctorScene,
  path: string,
  forbidden: number,
  wanted: string,
): Promise<readonly Finding[]> {
  const info = await ifPresent(Deno.lstat(path));
  if (info === undefined) return [];
  const findings: Finding[] = [];
  const mode = (info.mode ?? 0) & 0o777;
  if ((mode & forbidden) !== 0) {
    const what = (forbidden & 0o044) !== 0 && (mode & 0o044) !== 0 ? "read" : "write";
    const text = `${path} has mode ${mode.toString(8).padStart(4, "0")}: others may ${what} it`;
    findings.push(error("mode", text, `chmod ${wanted} ${path}`));
  }
  if (uid !== null && info.uid !== uid) {
    const text = `${path} belongs to uid ${info.uid}, and this is uid ${uid}`;
    findings.push(error("owner", text, `sudo chown ${uid} ${path}`));
  }
  return findings;
}
