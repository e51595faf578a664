// SPDX-License-Identifier: GPL-2.0-or-later
/** Which kind of process group the commands get, and the end of what an earlier daemon left. @module */

import { UserError } from "../../shared/io/program.ts";
import { toHex, utf8 } from "../../shared/protocol/bytes.ts";
import { cgroupGroups } from "./cgroup_groups.ts";
import { MAX_PARALLEL } from "./config.ts";
import type { Paths } from "./paths.ts";
import type { Groups } from "./process_group.ts";
import { killMarked, sessionGroups } from "./session_groups.ts";
import { createWardens, type Wardens } from "./wardens.ts";

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
  /** A cgroup that is ours to divide, from the command line. */
  readonly cgroup: string | undefined;
  /** systemd started this process, and delegated the cgroup it is in. */
  readonly underSystemd: boolean;
}

export async function prepareGroups(
  { paths, cgroup, underSystemd }: GroupOptions,
): Promise<GroupChoice> {
  // Two daemons on one machine (tests) must not take each other's commands for left ones.
  const digest = await crypto.subtle.digest("SHA-256", utf8(paths.outcomeFolder));
  const instance = `qr-${toHex(new Uint8Array(digest, 0, 4))}-`;
  const markPrefix = `${instance}${Deno.pid}-`;
  await killMarked(instance);
  for await (const { name } of Deno.readDir(paths.workFolder)) {
    await Deno.remove(`${paths.workFolder}/${name}`);
  }
  const chosen = (kind: GroupChoice["kind"], groups: Groups): GroupChoice => {
    const wardens = createWardens();
    const close = (): void => {
      wardens.close();
      groups.close();
    };
    return { kind, groups, wardens, markPrefix, close };
  };
  if (cgroup !== undefined || underSystemd) {
    const groups = await cgroupGroups(cgroup ?? "", MAX_PARALLEL);
    if (groups !== null) return chosen("cgroup", groups);
    if (cgroup !== undefined) throw new UserError(`${cgroup} is not a cgroup that can be divided`);
  }
  return chosen("session", sessionGroups());
}
