// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Process groups found in /proc: members are in the command's session, or carry its mark in
 * their environment. A process that does both setsid() and a new environment escapes, which is
 * why the installed daemon has a delegated cgroup and uses cgroup_groups.ts.
 *
 * @module
 */

import type { Groups } from "./process_group.ts";
import { MARKED, runBash } from "./warden.ts";

/** A look through all of /proc takes milliseconds: for commands that ended well, one for many. */
const SWEEP_DELAY_MS = 250;

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
  const make: Groups["make"] = (mark) => {
    let session = "";
    const count = async (): Promise<number> =>
      Number(await runBash(MARKED, "count", session, mark));
    return {
      cgroup: "",
      limitsProcesses: false,
      started: (pid) => void (session = String(pid)),
      count,
      signal: async (signal) => void await runBash(MARKED, signal, session, mark),
      async close(inHurry) {
        if (inHurry) {
          ended.push({ mark, session });
          timer ??= setTimeout(sweep, SWEEP_DELAY_MS);
        } else {
          do {
            await runBash(MARKED, "KILL", session, mark);
          } while (await count() > 0);
        }
        return { ranOutOfMemory: false };
      },
    };
  };
  return { make, close() {} };
}

/** Ends what an earlier daemon's commands left: every process with a mark that begins so. */
export async function killMarked(markPrefix: string): Promise<void> {
  await runBash(MARKED, "KILL", "", `${markPrefix}*`);
}
