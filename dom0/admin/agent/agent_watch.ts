// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The state of the agent VM when it was last asked. Pages use that; if it is old, a new question is
 * asked after the page: it takes a second, and only OpenClaw's own page waits for it.
 *
 * @module
 */

import { parseOpenclawConf } from "../../../shared/io/openclaw_conf.ts";
import { type Dom0Channel, Dom0Error, type RunResult } from "../channel/dom0_channel.ts";
import { type AgentStatus, readStatus } from "./agent_status.ts";

export interface AgentSeen {
  /** null: dom0 is set up for none. */
  readonly vm: string | null;
  readonly status: AgentStatus | null;
  /** Why there is no status. */
  readonly problem: string | null;
  readonly seenMs: number;
}

export interface AgentWatch {
  /** What is known; null before the first look. An old look is followed by a new one. */
  last(): AgentSeen | null;
  /** Asks now. */
  look(): Promise<AgentSeen>;
}

const FRESH_MS = 30_000;
const BY = "web";

interface AgentWatchParts {
  readonly channel: Pick<Dom0Channel, "run">;
  readonly dateMs: () => number;
  readonly afterPage: (run: () => void) => void;
  /** Somebody may be shown something else now. */
  readonly onChange: () => void;
}

export function createAgentWatch(
  { channel, dateMs, afterPage, onChange }: AgentWatchParts,
): AgentWatch {
  let seen: AgentSeen | null = null;
  let looking: Promise<AgentSeen> | null = null;
  const look = (): Promise<AgentSeen> => {
    looking ??= lookAt(channel, dateMs).then((fresh) => {
      const isOther = stateText(seen) !== stateText(fresh);
      seen = fresh;
      if (isOther) onChange();
      return fresh;
    }).finally(() => looking = null);
    return looking;
  };
  const lookAgain = (): void => void look();
  return {
    look,
    last() {
      if (seen === null || dateMs() - seen.seenMs > FRESH_MS) afterPage(lookAgain);
      return seen;
    },
  };
}

/** All but the time of the look. */
function stateText(seen: AgentSeen | null): string {
  return JSON.stringify(seen === null ? null : { ...seen, seenMs: 0 });
}

async function lookAt(
  channel: Pick<Dom0Channel, "run">,
  dateMs: () => number,
): Promise<AgentSeen> {
  const seenMs = dateMs();
  try {
    const vm = configuredVm(await channel.run("openclaw.config", {}, BY));
    if (vm === null) return { vm, status: null, problem: null, seenMs };
    return { vm, seenMs, ...statusOf(await channel.run("openclaw.status", { vm }, BY)) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { vm: null, status: null, problem, seenMs };
  }
}

/**
 * As setup-dom0 wrote it; null without such a file, or a good one.
 *
 * @param config what "openclaw.config" gave @throws {Dom0Error} if that is one
 */
export function configuredVm(config: RunResult | Dom0Error): string | null {
  if (config instanceof Dom0Error) throw config;
  return config.exitCode === 0 ? parseOpenclawConf(config.stdout).conf.vm : null;
}

/** A status that is not all well ends with code 1, and is one all the same. */
export function statusOf(
  { exitCode, stdout, stderr }: RunResult,
): Pick<AgentSeen, "status" | "problem"> {
  const status = readStatus(stdout);
  if (status !== null) return { status, problem: null };
  const why = stderr.trim() ||
    (exitCode === 1 && stdout === ""
      ? "the qube does not run"
      : "openclaw-ctl did not answer as expected");
  return { status: null, problem: why };
}
