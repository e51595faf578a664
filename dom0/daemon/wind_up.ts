// SPDX-License-Identifier: GPL-2.0-or-later
/** Ending what runs so that its VM hears why: commands first, their outcomes next. @module */

import { within } from "../../shared/io/timing.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import type { StopReason } from "../run/runner.ts";

/** Commands are killed at once; this is for a machine that is slow to do it. */
export const END_MS = 4_000;
/** A VM that is in a session gets this long to fetch the outcomes. A paused one will not. */
const TELL_MS = 3_000;

/** When it resolves, sessions may be closed: every VM that listens has its outcomes. */
export async function windUp(
  desk: Pick<RequestDesk, "stop">,
  reason: StopReason,
  vm?: VmName,
): Promise<void> {
  const { ended, told } = desk.stop(reason, vm);
  await within(END_MS, ended);
  await within(TELL_MS, told);
}
