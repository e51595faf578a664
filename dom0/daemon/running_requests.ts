// SPDX-License-Identifier: GPL-2.0-or-later
/** Which requests of a VM run, as the daemon's state has it. @module */

import type { VmState } from "./state_file.ts";

/** Their ids; those that wait for a person are not among them. */
export function runningRequests(
  { open, parked }: Pick<VmState, "open" | "parked">,
): readonly string[] {
  return open.filter((id) => !parked.includes(id));
}
