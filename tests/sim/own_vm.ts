// SPDX-License-Identifier: GPL-2.0-or-later
/** In which VM does this program run? @module */
import { VM_MARK } from "./environment.ts";
import { vmPaths } from "./layout.ts";
import { processInfo, readSessions, variableOf } from "./processes.ts";
import { readWorld } from "./world_config.ts";

/**
 * Looks for the mark in our environment; where a caller has cleared it, in
 * those of the processes above, and at last for our session.
 *
 * @throws {Error} outside all VMs
 */
export function ownVm(folder: string): string {
  for (let pid: number | undefined = Deno.pid; pid; pid = processInfo(pid)?.parent) {
    const vm = variableOf(pid, VM_MARK);
    if (vm !== undefined) return vm;
  }
  const session = processInfo(Deno.pid)?.session ?? 0;
  const vm = readWorld(folder).vms.find(({ name }) =>
    readSessions(vmPaths(folder, name).sessions).has(session)
  );
  if (vm === undefined) throw new Error("this program does not run in a VM of the simulation");
  return vm.name;
}
