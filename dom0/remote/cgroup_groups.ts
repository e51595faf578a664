// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Process groups that are cgroups (version 2): nothing leaves them, one write ends all of one,
 * and the kernel keeps their limits. The folder comes from systemd (Delegate=yes). A fixed
 * number of cgroups is made once and used again and again.
 *
 * @module
 */

import type { MakeGroup } from "./process_group.ts";
import { COUNT_CGROUP, PREPARE_CGROUPS, runBash, SIGNAL_CGROUP } from "./warden.ts";

/**
 * @param folder a cgroup that is ours to divide; "" for the one this process is in
 * @param slots how many commands may run at once
 * @returns null where there is no cgroup to divide
 */
export async function cgroupGroups(folder: string, slots: number): Promise<MakeGroup | null> {
  const names = Array.from({ length: slots }, (_, index) => `command-${index + 1}`);
  const answer = await runBash(PREPARE_CGROUPS, folder, ...names);
  const [, kind, divided] = /^(counted|limited) (\/.*)$/.exec(answer) ?? [];
  if (divided === undefined) return null;
  const free = names.map((name) => `${divided}/${name}`);
  return () => {
    const cgroup = free.shift();
    if (cgroup === undefined) throw new Error("bug: more commands than cgroups");
    return {
      cgroup,
      limitsProcesses: kind === "limited",
      count: async () => Number(await runBash(COUNT_CGROUP, cgroup)),
      signal: async (signal) => void await runBash(SIGNAL_CGROUP, cgroup, signal),
      async close(inHurry) {
        // The warden emptied it, unless the command ended the warden.
        while (!inHurry && Number(await runBash(COUNT_CGROUP, cgroup)) > 0) {
          await runBash(SIGNAL_CGROUP, cgroup, "KILL");
        }
        free.push(cgroup);
      },
    };
  };
}
