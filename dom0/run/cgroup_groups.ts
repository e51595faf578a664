// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Process groups that are cgroups (version 2): a child process is in its parent's, one write ends
 * all of one, and the kernel enforces their limits. The folder comes from systemd (commands_unit.ts) or
 * from the operator (--cgroup):
 *
 *     FOLDER/
 *       daemon/              what is the daemon's: always room for this
 *       commands/            limits of all commands together
 *         1/ 2/ 3/ ...       a new one for each command, with its limits
 *
 * Each command gets a new one: memory that stays charged to a cgroup after its processes ended
 * (files in /dev/shm or /tmp) must not count for the next command, only for all of them.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { type CgroupKeeper, createCgroupKeeper } from "./cgroup_keeper.ts";
import { createCgroupSupply } from "./cgroup_supply.ts";
import type { GroupEnd, Groups, LimitsInForce, Totals } from "./process_group.ts";
import { PREPARE_CGROUPS, runBash } from "./warden.ts";

/** Killed processes take a moment to disappear. */
const BUSY_WAIT_MS = 5;
/** Wait after the keeper has ended or could not be started. */
const RETRY_MS = 100;
/** How often a command is looked at. Without a limit in the kernel, a fork bomb has this long. */
const LOOK_SECONDS = { kernel: 0.25, watched: 0.02 } as const;

/** There is no cgroup here that can be divided. */
export class CgroupError extends Error {
  override readonly name = "CgroupError";
}

/**
 * @param folder a cgroup that is ours to divide; "" for the one its owner is in
 * @param owner the process that moves into the part for the daemon
 * @throws {CgroupError} it cannot be divided; the text says why
 */
export async function cgroupGroups(
  folder: string,
  totals: Totals,
  owner = Deno.pid,
): Promise<Groups> {
  const words = [totals.maxTotalProcesses, totals.maxTotalMemoryBytes, owner].map(String);
  const { code, out, err } = await runBash(PREPARE_CGROUPS, folder, ...words);
  if (code !== 0) {
    throw new CgroupError(err === "" ? `bash ended with code ${code}` : err.replaceAll("\n", "; "));
  }
  const [, processes, memory, divided] = /^(kernel|watched) (kernel|none) (\/.*)$/.exec(out) ?? [];
  if (divided === undefined) throw new Error(`bug: bash answered ${out}`);
  const groups = groupsIn(`${divided}/commands`, {
    processes: processes === "kernel" ? "kernel" : "watched",
    memory: memory === "kernel" ? "kernel" : "none",
  });
  await groups.setTotals(totals); // the keeper is there before the first command
  return groups;
}

interface CgroupLimits extends LimitsInForce {
  readonly processes: "kernel" | "watched";
}

function groupsIn(commands: string, limits: CgroupLimits): Groups {
  const keeper = createCgroupKeeper(commands, LOOK_SECONDS[limits.processes]);
  const supply = createCgroupSupply(commands);
  return {
    limits,
    newCgroup: supply.take,
    dropCgroup: supply.giveBack,
    make({ cgroup, maxProcesses }) {
      keeper.watch(cgroup, limits.processes === "kernel" ? "kernel" : String(maxProcesses));
      return {
        signal: async (signal) => void await keeper.ask(signal, cgroup),
        async close() {
          const end = await settle(keeper, cgroup);
          supply.giveBack(cgroup);
          return end;
        },
      };
    },
    async setTotals({ maxTotalProcesses, maxTotalMemoryBytes }) {
      const answer = await keeper.ask(
        `TOTAL ${maxTotalProcesses} ${maxTotalMemoryBytes}`,
        commands,
      );
      if (answer !== "ok") throw new Error("the limits of all commands could not be set");
    },
    close() {
      keeper.close();
      supply.close();
    },
  };
}

/** Waits until nothing of it is left, however long that takes; only then is it given back. */
async function settle(keeper: CgroupKeeper, cgroup: string): Promise<GroupEnd> {
  let left = 0;
  for (;;) {
    const answer = await keeper.settle(cgroup).catch(() => "gone");
    const [state, ...happened] = answer.split(" ");
    // At the first look; one in a cgroup that the command made is not in the count.
    if (state === "busy" && left === 0) left = Math.max(1, Number(happened[0]));
    if (state === "ended") {
      const total = happened.includes("total") ? "total" : "own";
      return {
        hadTooManyProcesses: happened.includes("killed"),
        wasRefusedProcess: happened.includes("refused"),
        ranOutOfMemory: happened.includes("oom") ? total : null,
        left,
      };
    }
    await delay(state === "busy" ? BUSY_WAIT_MS : RETRY_MS);
  }
}
