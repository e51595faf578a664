// SPDX-License-Identifier: GPL-2.0-or-later
/** Which kind of process group the commands get, and the end of what an earlier daemon left. @module */

import { delay } from "@std/async/delay";
import { errorText, UserError } from "../../shared/io/program.ts";
import { toHex, utf8 } from "../../shared/protocol/bytes.ts";
import { cgroupGroups } from "./cgroup_groups.ts";
import type { Paths } from "./paths.ts";
import type { Groups, LimitsInForce, Totals } from "./process_group.ts";
import { killMarked, sessionGroups } from "./session_groups.ts";
import { createWardens, type Wardens } from "./wardens.ts";

/** systemd may be busy with the cgroup for a moment. */
const ATTEMPTS = 5;
const RETRY_MS = 500;

export interface GroupChoice {
  readonly kind: "cgroup" | "session";
  readonly groups: Groups;
  readonly wardens: Wardens;
  /** Begins the mark of every command of this daemon. */
  readonly markPrefix: string;
  close(): void;
}

export interface GroupOptions {
  readonly paths: Paths;
  /** A cgroup that is ours to divide, from the command line; false for --no-cgroup. */
  readonly cgroup: string | false | undefined;
  /** systemd started this process, and delegated the cgroup it is in. */
  readonly underSystemd: boolean;
  /** One line for the journal or the terminal. */
  readonly warn: (line: string) => void;
}

/** @throws {UserError} there is no cgroup for the commands, and nobody said --no-cgroup */
export async function prepareGroups(options: GroupOptions, totals: Totals): Promise<GroupChoice> {
  const { paths, cgroup } = options;
  // Two daemons on one machine (tests) must not take each other's commands for left ones.
  const digest = await crypto.subtle.digest("SHA-256", utf8(paths.outcomeFolder));
  const instance = `qr-${toHex(new Uint8Array(digest, 0, 4))}-`;
  const markPrefix = `${instance}${Deno.pid}-`;
  await killMarked(instance);
  for await (const { name } of Deno.readDir(paths.workFolder)) {
    await Deno.remove(`${paths.workFolder}/${name}`);
  }
  const groups = cgroup === false ? sessionGroups() : await ownCgroups(options, totals);
  const wardens = createWardens(groups);
  const close = (): void => {
    wardens.close();
    groups.close();
  };
  return { kind: cgroup === false ? "session" : "cgroup", groups, wardens, markPrefix, close };
}

async function ownCgroups(
  { cgroup, underSystemd, warn }: GroupOptions,
  totals: Totals,
): Promise<Groups> {
  if (cgroup === undefined && !underSystemd) {
    throw new UserError("commands are run in cgroups, and this process was given none", [
      'start it by systemd, which gives it one: "systemctl start qvm-remote-dom0"',
      "or give it an empty cgroup of version 2 to divide: --cgroup DIR",
      NO_CGROUP_HINT,
    ]);
  }
  for (let attempt = 1;; attempt++) {
    try {
      return await cgroupGroups(cgroup || "", totals);
    } catch (error) {
      const what = `cannot prepare cgroups for the commands: ${errorText(error)}`;
      if (!underSystemd || attempt === ATTEMPTS) {
        throw new UserError(what, [
          "it needs cgroups of version 2, Linux 5.14 or later, and Delegate=yes in its unit",
          NO_CGROUP_HINT,
        ]);
      }
      warn(`${what}; trying again\n`);
      await delay(RETRY_MS);
    }
  }
}

const NO_CGROUP_HINT = "or --no-cgroup: then memory is not limited, a fork bomb can take all of " +
  "dom0, and processes can outlive their command";

/** For people, one line. */
export function limitsText({ processes, memory }: LimitsInForce): string {
  const held = { kernel: "held by the kernel", watched: "watched", none: "NOT HELD" };
  const why = processes === "none" ? " (no cgroups: --no-cgroup)" : "";
  return `limits of commands: processes ${held[processes]}, memory ${held[memory]}${why}`;
}
