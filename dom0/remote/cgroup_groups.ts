// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Process groups that are cgroups (version 2): nothing leaves them, one write ends all of one,
 * and the kernel keeps their limits. The folder comes from systemd (Delegate=yes). A fixed
 * number of cgroups is made once and used again and again.
 *
 * @module
 */

import { sleep } from "../../shared/io/timing.ts";
import { createCgroupKeeper } from "./cgroup_keeper.ts";
import type { Groups } from "./process_group.ts";
import { PREPARE_CGROUPS, runBash } from "./warden.ts";

/** What was killed takes a moment to be gone. */
const BUSY_WAIT_MS = 5;
/** After the keeper has ended, or could not be started. */
const RETRY_MS = 100;

/**
 * @param folder a cgroup that is ours to divide; "" for the one this process is in
 * @param slots how many commands may run at once
 * @returns null where there is no cgroup to divide
 */
export async function cgroupGroups(folder: string, slots: number): Promise<Groups | null> {
  const names = Array.from({ length: slots }, (_, index) => `command-${index + 1}`);
  const answer = await runBash(PREPARE_CGROUPS, folder, ...names);
  const [, kind, divided] = /^(counted|limited) (\/.*)$/.exec(answer) ?? [];
  if (divided === undefined) return null;
  const keeper = createCgroupKeeper();
  const free = names.map((name) => `${divided}/${name}`);
  for (const cgroup of free) await keeper.ask("SETTLE", cgroup);

  const settle = async (cgroup: string): Promise<boolean> => {
    for (;;) {
      const state = await keeper.ask("SETTLE", cgroup).catch(() => "gone");
      if (state === "ended" || state === "oom") return state === "oom";
      await sleep(state === "busy" ? BUSY_WAIT_MS : RETRY_MS);
    }
  };
  return {
    make() {
      const cgroup = free.shift();
      if (cgroup === undefined) throw new Error("bug: more commands than cgroups");
      return {
        cgroup,
        limitsProcesses: kind === "limited",
        started() {},
        count: async () => Number(await keeper.ask("COUNT", cgroup)),
        signal: async (signal) => void await keeper.ask(signal, cgroup),
        async close() {
          const ranOutOfMemory = await settle(cgroup);
          free.push(cgroup);
          return { ranOutOfMemory };
        },
      };
    },
    close: () => keeper.close(),
  };
}
