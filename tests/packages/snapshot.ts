// SPDX-License-Identifier: GPL-2.0-or-later
/** What is on a machine, before and after. @module */

import type { Machine } from "../machine/machine.ts";
import { DIST_INSIDE } from "./dist.ts";

/** Of the packages' own tools, of the journal, and what is gone after a boot. */
const OTHERS = [
  "/var/lib/dpkg*",
  "/var/lib/rpm*",
  "/root/.rpmdb*", // where a Debian has it
  "/var/lib/qsim*",
  "/var/cache/*",
  "/var/log/journal*",
  "/var/log/apt*",
  "/var/log/dpkg.log",
  "/var/tmp/*",
  "/var/lib/systemd/*",
  `${DIST_INSIDE}/*`,
];

/** A line for each file and folder: its kind, mode, owner and path, sorted. */
export async function snapshot(machine: Machine): Promise<readonly string[]> {
  const others = OTHERS.map((path) => `-not -path '${path}'`).join(" ");
  const said = await machine.good(
    `find /etc /usr /opt /root /home /srv /var -xdev ${others} -printf '%y %m %u:%g %p\\n' | sort`,
  );
  return said.trimEnd().split("\n");
}

/** The paths of `now` that are not as they were. */
export function changesSince(before: readonly string[], now: readonly string[]): readonly string[] {
  const known = new Set(before);
  const after = new Set(now);
  return [
    ...now.filter((line) => !known.has(line)),
    ...before.filter((line) => !after.has(line)).map((line) => `gone: ${line}`),
  ].map((line) => line.split(" ").slice(line.startsWith("gone:") ? 0 : 3).join(" ")).toSorted();
}
