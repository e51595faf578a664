// SPDX-License-Identifier: GPL-2.0-or-later
/** Rounds of watching: asks, lets machine.ts decide, does it. @module */

import type { Ask } from "../probe/http_answer.ts";
import { gatewayUrl, probeGateway, probeProxy, proxyUrl } from "../probe/probe.ts";
import type { Run } from "../probe/run_program.ts";
import {
  partsOf,
  showUnits,
  turnUnit,
  type UnitName,
  unitOf,
  type UnitState,
} from "../probe/units.ts";
import { type Verdict, verdictText } from "../probe/verdict.ts";
import { errorText, UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { VmSettings } from "../settings/vm_settings.ts";
import { type Cpu, cpuTraffic, memoryReason, type Quiet, quietSince, trafficOf } from "./idle.ts";
import { needsUnit, NOT_YET_SEEN, restarted, type Step, step, type Watched } from "./machine.ts";
import { type NoticeEvent, noticeOf, tellDom0 } from "./notice.ts";
import type { WatchSettings } from "./settings.ts";

export type Level = "info" | "warning" | "error";
export type WatchedPart = "proxy" | "gateway";

export interface WatchParts {
  readonly vm: VmSettings;
  readonly watch: WatchSettings;
  readonly ask: Ask;
  readonly run: Run;
  readonly nowMs: () => number;
  readonly say: (level: Level, text: string) => void;
}

export interface Round {
  /** As "proxy ok, gateway unhealthy: no answer in 5 s". */
  readonly summary: string;
  readonly allWell: boolean;
}

/** The parts that are asked: the proxy through its tunnel, too, where another VM has it. */
export function watchedParts({ role }: VmSettings): readonly WatchedPart[] {
  if (role === "client") return [];
  return role === "keys" ? ["proxy"] : ["proxy", "gateway"];
}

/** @returns a function that does one round */
export function createWatch(parts: WatchParts): () => Promise<Round> {
  const { vm, watch, nowMs } = parts;
  const watched = new Map<WatchedPart, Watched>();
  let quiet: Quiet | null = null;
  let cpu: Cpu | null = null;

  const act = async (part: WatchedPart, { watched: next, actions }: Step): Promise<void> => {
    const before = watched.get(part) ?? NOT_YET_SEEN;
    watched.set(part, next);
    for (const action of actions) {
      if (action.kind === "say") parts.say(action.level, `${part}: ${action.text}`);
      else {
        await restart(part, action.reason, parts);
        await tell(part, "restarted", parts);
      }
    }
    const event = noticeOf(before, next);
    if (event !== null) await tell(part, event, parts);
  };

  const look = async (part: WatchedPart): Promise<Verdict> => {
    const { verdict } = await askPart(part, parts);
    const ours = partsOf(vm).includes(part);
    const unit = ours && needsUnit(verdict) ? await unitState(part, parts) : null;
    const before = watched.get(part) ?? NOT_YET_SEEN;
    await act(part, step(before, { verdict, unit }, nowMs(), watch));
    return verdict;
  };

  const lookAtMemory = async (): Promise<void> => {
    const before = watched.get("gateway") ?? NOT_YET_SEEN;
    const unit = await unitState("gateway", parts);
    const cpuMs = unit?.cpuMs ?? null;
    const cpuNow = cpuMs === null ? null : { cpuMs, atMs: nowMs() };
    const seen = await traffic(parts) ?? cpuTraffic(cpu, cpuNow);
    cpu = cpuNow;
    quiet = quietSince(quiet, seen, nowMs());
    const reason = memoryReason(unit?.memoryBytes ?? null, quiet, nowMs(), watch);
    const hourAgoMs = nowMs() - 3_600_000;
    const recent = before.restartsMs.filter((atMs) => atMs > hourAgoMs);
    if (reason === null || recent.length >= watch.restartsPerHour || watch.restart === "no") return;
    quiet = null;
    await act("gateway", restarted(before, reason, nowMs(), watch));
  };

  return async () => {
    const verdicts: [WatchedPart, Verdict][] = [];
    for (const part of watchedParts(vm)) verdicts.push([part, await look(part)]);
    const gateway = verdicts.find(([part]) => part === "gateway")?.[1].kind;
    if (watch.gatewayMegabytes > 0 && gateway === "ok") await lookAtMemory();
    return {
      summary: verdicts.map(([part, verdict]) => `${part} ${verdictText(verdict)}`).join(", "),
      allWell: verdicts.every(([, { kind }]) => kind === "ok" || kind === "degraded"),
    };
  };
}

function askPart(part: WatchedPart, { vm, watch, ask }: WatchParts) {
  const timeoutMs = watch.answerSeconds * 1000;
  return part === "proxy"
    ? probeProxy(proxyUrl(vm), ask, timeoutMs)
    : probeGateway(gatewayUrl(vm), ask, timeoutMs);
}

async function unitState(
  part: WatchedPart,
  { vm, run }: WatchParts,
): Promise<UnitState | null> {
  const name = unitOf(part, vm);
  try {
    return (await showUnits([name], run))[0] ?? null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return unknownUnit(name, error.message);
  }
}

/** What is unknown is not restarted. */
function unknownUnit(name: UnitName, why: string): UnitState {
  return {
    ...name,
    load: `it cannot be asked: ${why}`,
    active: "unknown",
    sub: "",
    file: "",
    exitStatus: null,
    restarts: 0,
    memoryBytes: null,
    cpuMs: null,
    activeSinceMs: null,
  };
}

async function traffic({ vm, watch, ask }: WatchParts) {
  const answer = await ask(`${proxyUrl(vm)}/metrics`, { timeoutMs: watch.answerSeconds * 1000 });
  if (answer.kind !== "answer" || answer.status !== 200) return null;
  return trafficOf(answer.untrustedText);
}

async function tell(part: WatchedPart, event: NoticeEvent, parts: WatchParts): Promise<void> {
  if (parts.watch.tellDom0 === "no") return;
  const why = await tellDom0(part, event, parts.run);
  if (why !== null) {
    parts.say("warning", `${part}: dom0 was not told (${event}): ${printable(why)}`);
  }
}

async function restart(part: WatchedPart, reason: string, parts: WatchParts): Promise<void> {
  const name = unitOf(part, parts.vm);
  parts.say("warning", `${part}: ${reason}; restarting ${name.unit}`);
  let failure: string | null;
  try {
    failure = await turnUnit(name, "restart", parts.run, "no-wait");
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    failure = errorText(error);
  }
  if (failure !== null) {
    parts.say("error", `${part}: the restart failed: ${printable(failure, 300)}`);
  }
}
