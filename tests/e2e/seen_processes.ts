// SPDX-License-Identifier: GPL-2.0-or-later
/** The processes of a world, for tests that kill them, or want none to be left. @module */

import { processesInside, processInfo, signalProcess, variableOf } from "../sim/processes.ts";
import { VM_MARK } from "../sim/environment.ts";
import type { World } from "../sim/world.ts";
import { until } from "./installed.ts";

export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  /** undefined: it is in dom0. */
  readonly vm: string | undefined;
  readonly commandLine: string;
}

/** All of the world, but for those that play the VMs themselves. */
export function seenProcesses(world: World): readonly SeenProcess[] {
  return processesInside(world.folder, undefined).map(({ pid, parent }) => ({
    pid,
    parent,
    vm: variableOf(pid, VM_MARK),
    commandLine: commandLineOf(pid),
  })).filter(({ commandLine }) => commandLine !== "" && !commandLine.includes("vm-agent.ts"));
}

/** With spaces between the words; "" if there is none any more. */
export function commandLineOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** The service of a VM, and the dom0 end of its session. */
export const isService = (vm: string) => (seen: SeenProcess): boolean =>
  seen.vm === vm && /qvmremote\.Queue/.test(seen.commandLine);
export const isSession = (vm: string) => (seen: SeenProcess): boolean =>
  seen.vm === undefined && seen.commandLine.includes("qrexec-client.ts") &&
  seen.commandLine.includes(` -d ${vm} `);

/** SIGKILL to those that are meant. @returns how many there were */
export function killSeen(world: World, isMeant: (seen: SeenProcess) => boolean): number {
  const meant = seenProcesses(world).filter(isMeant);
  for (const { pid } of meant) signalProcess(pid, "SIGKILL");
  return meant.length;
}

/** Whether a process of that pid runs (a zombie does not). */
export function isRunning(pid: number): boolean {
  const info = processInfo(pid);
  return info !== undefined && !info.isZombie;
}

/** Waits until nothing of the project runs in the world any more. */
export async function untilNothingRuns(world: World, limitMs = 60_000): Promise<void> {
  const left = (): string =>
    seenProcesses(world).map(({ pid, vm, commandLine }) => `${vm ?? "dom0"} ${pid} ${commandLine}`)
      .join("\n");
  try {
    await until("", () => left() === "", limitMs);
  } catch {
    throw new Error(`left over:\n${left()}`);
  }
}
