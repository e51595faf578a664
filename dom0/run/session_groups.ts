// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Process groups found in /proc: members are in the command's session, or carry its mark in
 * their environment. A process that calls setsid() and replaces its environment escapes, and a fork
 * bomb can outrun the counting. So this is used only with --no-cgroup.
 *
 * @module
 */

import type { Groups, Member, ProcessGroup } from "./process_group.ts";
import { MARKED, runBash } from "./warden.ts";

/** Searching /proc takes milliseconds: commands that ended normally share one search. */
const SWEEP_DELAY_MS = 250;
const COUNT_INTERVAL_MS = 500;

export function sessionGroups(): Groups {
  let ended: { readonly mark: string; readonly session: string }[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const sweep = async (): Promise<void> => {
    const swept = ended;
    ended = [];
    timer = undefined;
    const sessions = swept.map(({ session }) => session).join(" ");
    await runBash(MARKED, "KILL", sessions, ...swept.map(({ mark }) => mark));
  };
  return {
    limits: { processes: "none", memory: "none" },
    newCgroup: () => "",
    dropCgroup() {},
    make: (member) =>
      sessionGroup(member, (left) => {
        ended.push(left);
        timer ??= setTimeout(sweep, SWEEP_DELAY_MS);
      }),
    setTotals: () => Promise.resolve(),
    close() {},
  };
}

function sessionGroup(
  { mark, pid, maxProcesses }: Member,
  sweepLater: (left: { readonly mark: string; readonly session: string }) => void,
): ProcessGroup {
  const session = String(pid);
  const signal = async (what: "TERM" | "KILL"): Promise<void> =>
    void await runBash(MARKED, what, session, mark);
  const count = async (): Promise<number> =>
    Number((await runBash(MARKED, "count", session, mark)).out);
  let hadTooManyProcesses = false;
  const look = async (): Promise<void> => {
    if (await count() > maxProcesses) hadTooManyProcesses = true;
    if (hadTooManyProcesses) await signal("KILL");
  };
  let looking: Promise<void> | null = null;
  const timer = setInterval(() => {
    looking ??= look().catch(() => {}).finally(() => looking = null);
  }, COUNT_INTERVAL_MS);
  return {
    signal,
    async close(inHurry) {
      clearInterval(timer);
      await looking;
      let left = 0;
      if (inHurry && !hadTooManyProcesses) sweepLater({ mark, session });
      else {
        left = await count();
        do {
          await signal("KILL");
        } while (await count() > 0);
      }
      return { hadTooManyProcesses, wasRefusedProcess: false, ranOutOfMemory: null, left };
    },
  };
}

/** Ends what an earlier daemon's commands left: every process whose mark begins with this. */
export async function killMarked(markPrefix: string): Promise<void> {
  await runBash(MARKED, "KILL", "", `${markPrefix}*`);
}
