// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The traces a running VM leaves: the file domain.json, and in dom0's
 * /run/qubes a socket qrexec.<xid> with a link qrexec.<VM> to it.
 *
 * @module
 */
import { readTextIfAny, removeIfAny, writeByRename } from "./files.ts";
import { vmPaths, worldPaths } from "./layout.ts";
import { isAlive, processInfo } from "./processes.ts";

/** A running VM. */
export interface Domain {
  readonly xid: number;
  readonly agentPid: number;
  readonly agentStartTime: string;
  readonly startedAtMs: number;
  readonly isPaused: boolean;
}

/** States of a VM, in the words of qvm-ls. */
export type PowerState = "Halted" | "Paused" | "Running";

/** @returns the VM as it runs, or undefined if it is halted. */
export function readDomain(folder: string, vm: string): Domain | undefined {
  const text = readTextIfAny(vmPaths(folder, vm).domain);
  if (text === undefined) return undefined;
  const domain: Domain = JSON.parse(text);
  return isAlive(domain.agentPid, domain.agentStartTime) ? domain : undefined;
}

/** Says that this process is the agent of the VM. */
export function writeDomain(
  folder: string,
  vm: string,
  { xid, isPaused }: Pick<Domain, "xid" | "isPaused">,
): void {
  const agentStartTime = processInfo(Deno.pid)?.startTime ?? "";
  const startedAtMs = Date.now();
  setDomain(folder, vm, { xid, agentPid: Deno.pid, agentStartTime, startedAtMs, isPaused });
}

/** Replaces what is known of the running VM. */
export function setDomain(folder: string, vm: string, domain: Domain): void {
  writeByRename(vmPaths(folder, vm).domain, JSON.stringify(domain));
}

/** @returns the state of the VM. */
export function powerState(folder: string, vm: string): PowerState {
  const domain = readDomain(folder, vm);
  return domain === undefined ? "Halted" : domain.isPaused ? "Paused" : "Running";
}

/** Opens the socket of qrexec-daemon, then puts the link with the VM's name. */
export function announce(folder: string, vm: string, xid: number): Deno.UnixListener {
  const { socketDir } = worldPaths(folder);
  withdraw(folder, vm, xid);
  const listener = Deno.listen({ transport: "unix", path: `${socketDir}/qrexec.${xid}` });
  Deno.symlinkSync(`qrexec.${xid}`, `${socketDir}/qrexec.${vm}`);
  return listener;
}

/** Removes the link and the socket. */
export function withdraw(folder: string, vm: string, xid: number): void {
  const { socketDir } = worldPaths(folder);
  removeIfAny(`${socketDir}/qrexec.${vm}`);
  removeIfAny(`${socketDir}/qrexec.${xid}`);
}
