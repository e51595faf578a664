// SPDX-License-Identifier: GPL-2.0-or-later
/** Asks the programs that read the configuration whether they accept it. @module */

import { errorText } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Finding } from "../../shared/setup/findings.ts";
import type { Tools } from "../../shared/setup/tools.ts";
import type { Places } from "./places.ts";
import type { SetupRequest } from "./request.ts";

const MAX_SHOWN_CHARS = 300;

/** @param prefix where OpenClaw is */
export async function checkConfiguration(
  { part, onlyFiles }: SetupRequest,
  { state }: Places,
  prefix: string,
  tools: Tools,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  if (part !== "keys" && !onlyFiles) {
    findings.push(await checkOpenclaw(`${state}/openclaw.json`, prefix, tools));
  }
  if (part !== "agent of a key qube") {
    findings.push(await checkProxy(`${state}/proxy.json`, tools));
  }
  return findings;
}

async function checkOpenclaw(path: string, prefix: string, tools: Tools): Promise<Finding> {
  const program = `${prefix}/bin/openclaw`;
  const argv = [program, "config", "validate", "--json"] as const;
  const complaint = await ask(tools, argv, (stdout) => {
    const answer = JSON.parse(stdout.slice(stdout.indexOf("{")));
    if (answer.valid === true) return undefined;
    const [first] = answer.issues ?? [];
    return `${first?.path ?? ""} ${first?.message ?? answer.error ?? "not valid"}`.trim();
  });
  return finding(`${path} is good`, "OpenClaw itself says so", complaint, [
    argv.join(" "),
    `correct it, or move it away and run setup-vm again: it writes a new one`,
  ]);
}

async function checkProxy(path: string, tools: Tools): Promise<Finding> {
  const complaint = await ask(tools, ["openclaw-proxy", "check-config"], () => undefined);
  return finding(`${path} is good`, "openclaw-proxy check-config", complaint, [
    "openclaw-proxy check-config",
    "correct it, or move it away and run setup-vm again: it writes a new one",
  ]);
}

/** @returns what it complains of; undefined: nothing */
async function ask(
  tools: Tools,
  argv: readonly [string, ...string[]],
  read: (stdout: string) => string | undefined,
): Promise<string | undefined> {
  try {
    const { code, stdout, stderr } = await tools.run({ argv });
    const said = code === 0 || stdout.includes("{") ? read(stdout) : undefined;
    if (said !== undefined) return said;
    return code === 0 ? undefined : stderr.trim() || `it ended with ${code}`;
  } catch (error) {
    return errorText(error);
  }
}

function finding(
  what: string,
  why: string,
  complaint: string | undefined,
  next: readonly string[],
): Finding {
  if (complaint === undefined) return { what, why, isSo: true, next: [] };
  const shown = printable(complaint, MAX_SHOWN_CHARS).slice(1, -1);
  return { what: `${what}: ${shown}`, why, isSo: false, next };
}
