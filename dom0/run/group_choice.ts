// SPDX-License-Identifier: GPL-2.0-or-later
/** Which kind of process group the commands get, and the end of what an earlier daemon left. @module */

import { delay } from "@std/async/delay";
import { errorText, UserError } from "../../shared/cli/program.ts";
import { toHex, utf8 } from "../../shared/protocol/bytes.ts";
import { cgroupGroups } from "./cgroup_groups.ts";
import { type CommandsUnit, startCommandsUnit } from "./commands_unit.ts";
import type { Paths } from "../settings/paths.ts";
import type { Groups, LimitsInForce, Totals } from "./process_group.ts";
import { killMarked, sessionGroups } from "./session_groups.ts";
import { createWardens, type Wardens } from "./wardens.ts";

/** The commands of an earlier daemon may take a moment to end. */
const ATTEMPTS = 5;
const RETRY_MS = 500;

export interface GroupChoice {
  readonly kind: "cgroup" | "session";
  readonly groups: Groups;
  readonly wardens: Wardens;
  /** Begins the mark of every command of this daemon. */
  readonly markPrefix: string;
  /** Rejects when commands cannot be run any more; all of them have ended. */
  readonly failed: Promise<never>;
  close(): void;
}

export interface GroupOptions {
  readonly paths: Paths;
  /** A cgroup that is ours to divide, from the command line; false for --no-cgroup. */
  readonly cgroup: string | false | undefined;
  /** systemd started this process, and is asked for a unit for the commands. */
  readonly underSystemd: boolean;
  /** One line for the journal or the terminal. */
  readonly warn: (line: string) => void;
}

/** @throws {UserError} there is no cgroup for the commands, and nobody said --no-cgroup */
export async function prepareGroups(options: GroupOptions, totals: Totals): Promise<GroupChoice> {
  const { paths, cgroup } = options;
  // Two daemons on one machine (in tests) must not take each other's commands for leftovers.
  const digest = await crypto.subtle.digest("SHA-256", utf8(paths.outcomeFolder));
  const instance = `qr-${toHex(new Uint8Array(digest, 0, 4))}-`;
  const markPrefix = `${instance}${Deno.pid}-`;
  await killMarked(instance);
  for await (const { name } of Deno.readDir(paths.workFolder)) {
    await Deno.remove(`${paths.workFolder}/${name}`);
  }
  const { groups, unit } = cgroup === false
    ? { groups: sessionGroups(), unit: null }
    : await ownCgroups(options, totals);
  const wardens = createWardens(groups, unit?.spawn);
  return {
    kind: cgroup === false ? "session" : "cgroup",
    groups,
    wardens,
    markPrefix,
    failed: unit?.failed ?? new Promise(() => {}),
    close() {
      wardens.close();
      groups.close();
      unit?.close();
    },
  };
}

interface OwnCgroups {
  readonly groups: Groups;
  /** null: the commands are children of this process. */
  readonly unit: CommandsUnit | null;
}

async function ownCgroups(
  { cgroup, underSystemd, warn }: GroupOptions,
  totals: Totals,
): Promise<OwnCgroups> {
  if (cgroup === undefined && !underSystemd) {
    throw new UserError("commands run in cgroups, and this process has none of its own", [
      'start it by systemd, which gives it one: "systemctl start qvm-remote-dom0"',
      "or give it an empty cgroup of version 2: --cgroup DIR",
      NO_CGROUP_HINT,
    ]);
  }
  for (let attempt = 1;; attempt++) {
    try {
      return cgroup ? await inFolder(cgroup, totals) : await inUnit(totals);
    } catch (error) {
      const what = `cannot prepare cgroups for the commands: ${errorText(error)}`;
      if (!underSystemd || attempt === ATTEMPTS) {
        throw new UserError(what, [
          "it needs systemd, cgroups of version 2, and Linux 5.14 or later",
          NO_CGROUP_HINT,
        ]);
      }
      warn(`${what}; trying again\n`);
      await delay(RETRY_MS);
    }
  }
}

async function inFolder(folder: string, totals: Totals): Promise<OwnCgroups> {
  return { groups: await cgroupGroups(folder, totals), unit: null };
}

async function inUnit(totals: Totals): Promise<OwnCgroups> {
  const unit = await startCommandsUnit();
  try {
    return { groups: await cgroupGroups("", totals, unit.pid), unit };
  } catch (error) {
    unit.close();
    throw error;
  }
}

const NO_CGROUP_HINT = "or use --no-cgroup: memory is then unlimited, a fork bomb can take over " +
  "dom0, and processes can outlive their command";

/** For people, one line. */
export function limitsText({ processes, memory }: LimitsInForce): string {
  const how = { kernel: "enforced by the kernel", watched: "watched", none: "NOT ENFORCED" };
  const why = processes === "none" ? " (no cgroups: --no-cgroup)" : "";
  return `limits of commands: processes ${how[processes]}, memory ${how[memory]}${why}`;
}
