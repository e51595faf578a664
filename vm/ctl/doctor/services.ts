// SPDX-License-Identifier: GPL-2.0-or-later
/** Units, flags of qvm-service, ports, tunnels: what should run, and what runs in its place. @module */

import { UserError } from "../../../shared/cli/program.ts";
import { type Part, partsOf, unitOf, type UnitState } from "../../probe/units.ts";
import { type Verdict, verdictText } from "../../probe/verdict.ts";
import { shown } from "../text.ts";
import { type DoctorScene, error, type Examine, type Finding, warning } from "./finding.ts";

const ENABLED = new Set(["enabled", "enabled-runtime", "static", "linked", "alias", "indirect"]);
const SS_MS = 5_000;

export const examineUnits: Examine = ({ snapshot }) => {
  const { units, unitsError, flags } = snapshot;
  if (unitsError !== null) {
    const fix = "is this a systemd session? A shell from sudo or su does not see the user's";
    return Promise.resolve([error("systemd", `systemd cannot be asked: ${unitsError}`, fix)]);
  }
  const missing = new Set(flags?.filter(({ isSet }) => !isSet).map(({ flag }) => flag));
  return Promise.resolve([
    ...units.flatMap((unit) => missing.has(flagOf(unit.part)) ? [] : examineUnit(unit)),
    ...[...missing].map((flag) =>
      error(
        "flag-missing",
        `the flag ${flag} of qvm-service is not set: its unit does not start`,
        `in dom0: qvm-service VM ${flag} on; then restart this VM`,
      )
    ),
  ]);
};

function flagOf(part: Part): string {
  return part === "tunnel" ? "openclaw-tunnels" : `openclaw-${part}`;
}

function examineUnit(state: UnitState): readonly Finding[] {
  const { part, unit, scope, load, active, file, exitStatus } = state;
  const systemctl = scope === "user" ? "systemctl --user" : "sudo systemctl";
  if (load === "unknown" || load === "not-found") {
    const fix = part === "tunnel"
      ? '"make install-vm" in the template of this VM, or in it'
      : 'run "setup-vm PROVIDER"';
    return [error("unit-missing", `systemd knows no ${unit}`, fix)];
  }
  if (load !== "loaded") {
    return [error("unit-missing", `${unit} is ${load}`, `${systemctl} unmask ${unit}`)];
  }
  const findings: Finding[] = [];
  if (active === "failed") {
    const code = exitStatus === null ? "" : ` with code ${exitStatus}`;
    const why = exitStatus === 78 ? ": its configuration is wrong" : "";
    const fix = `openclaw-ctl logs ${part}; then openclaw-ctl restart ${part}`;
    findings.push(error("unit-failed", `${unit} ended${code}${why}`, fix));
  } else if (active === "inactive") {
    const level = part === "watchdog" ? warning : error;
    findings.push(level("unit-stopped", `${unit} does not run`, `openclaw-ctl restart ${part}`));
  }
  if (!ENABLED.has(file)) {
    const text = `${unit} is ${shown(file, 20) || "not enabled"}: it does not start by itself`;
    findings.push(warning("unit-disabled", text, `${systemctl} enable ${unit}`));
  }
  return findings;
}

export const examinePorts: Examine = async (scene) => {
  const { settings, snapshot } = scene;
  const { proxy, gateway } = snapshot;
  const findings = proxy === null
    ? []
    : await examinePort(scene, "proxy", settings.proxyPort, proxy.verdict);
  if (gateway === null) return findings;
  const more = await examinePort(scene, "gateway", settings.gatewayPort, gateway.verdict);
  return [...findings, ...more];
};

async function examinePort(
  scene: DoctorScene,
  part: Part,
  port: number,
  verdict: Verdict,
): Promise<readonly Finding[]> {
  const { snapshot } = scene;
  const isTunnel = !partsOf(scene.settings).includes(part);
  const unit = unitOf(part, scene.settings).unit;
  const state = snapshot.units.find((one) => one.part === part);
  const tunnel = snapshot.tunnels?.find((one) => one.port === port);
  const owned = isTunnel ? tunnel !== undefined : runs(state);
  const taken = verdict.kind === "stranger" || (!owned && verdict.kind !== "unreachable");
  if (taken && snapshot.unitsError === null) {
    const who = await listener(scene, port);
    const whose = isTunnel ? "a tunnel" : unit;
    const text = `port ${port} is taken by ${who ?? "another program"}, and not by ${whose}`;
    return [error("port-taken", text, `end it, or give the ${part} another port in setup-vm`)];
  }
  if (isTunnel && tunnel === undefined) {
    const fix = scene.settings.role === "client"
      ? "systemctl --user enable --now openclaw-connect"
      : "openclaw-ctl restart tunnel";
    return [error("tunnel-down", `no tunnel runs for port ${port} (the ${part})`, fix)];
  }
  return owned ? answerFindings(part, isTunnel, verdict) : [];
}

/** If systemd cannot be asked, that is the finding, and the port counts as the unit's. */
function runs(state: UnitState | undefined): boolean {
  if (state === undefined) return true;
  return state.load === "loaded" && state.active !== "inactive" && state.active !== "failed";
}

function answerFindings(part: Part, isTunnel: boolean, verdict: Verdict): readonly Finding[] {
  const text = `the ${part}: ${verdictText(verdict)}`;
  switch (verdict.kind) {
    case "unreachable":
    case "unhealthy":
      if (isTunnel) {
        const fix =
          "is the other VM running? openclaw-tunnel check; and in dom0: qvm-tags, the policy";
        return [error("tunnel-down", `${text}, behind its tunnel`, fix)];
      }
      return [error("no-answer", text, `openclaw-ctl logs ${part}`)];
    case "unauthenticated":
      // Keys have findings of their own; this is the server's own door.
      return part === "proxy" ? [] : [error("no-answer", text, `openclaw-ctl logs ${part}`)];
    case "degraded":
      return part === "proxy"
        ? [warning("provider-out", text, "openclaw-ctl logs proxy; it tries again by itself")]
        : [warning("not-ready", text, "openclaw-ctl logs gateway; a restart would not help")];
    default:
      return [];
  }
}

/** Who listens, as ss(8) says it; only the user's own processes have a name there. */
async function listener({ run }: DoctorScene, port: number): Promise<string | null> {
  try {
    const { untrustedOut } = await run(["ss", "-Hltnp", `sport = :${port}`], SS_MS);
    const [, name, pid] = /users:\(\("([^"]{1,64})",pid=(\d+)/.exec(untrustedOut) ?? [];
    return name === undefined ? null : `${shown(name, 40)} (process ${pid})`;
  } catch (problem) {
    if (problem instanceof UserError) return null;
    throw problem;
  }
}
