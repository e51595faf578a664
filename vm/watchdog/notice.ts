// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What dom0 is told, if watchdog.json says so and dom0's policy lets it: one word of a fixed list,
 * as the argument of the qrexec service openclaw.Notice, which writes it into dom0's journal.
 *
 * @module
 */

import { errorText, UserError } from "../../shared/cli/program.ts";
import type { Run } from "../probe/run_program.ts";
import type { Watched } from "./machine.ts";

export type NoticeEvent = "restarted" | "given-up" | "well";

/** dom0's policy may ask a person first. */
const CALL_MS = 60_000;

/** What is worth reporting about a step; null: nothing. Whoever restarts a part reports that. */
export function noticeOf(before: Watched, after: Watched): NoticeEvent | null {
  if (before.givenUp === after.givenUp) return null;
  return after.givenUp ? "given-up" : "well";
}

/** @returns why dom0 was not told; null if it was */
export async function tellDom0(
  part: "proxy" | "gateway",
  event: NoticeEvent,
  run: Run,
): Promise<string | null> {
  const service = `openclaw.Notice+${part}.${event}`;
  try {
    const { code } = await run(["qrexec-client-vm", "dom0", service], CALL_MS);
    if (code === 0) return null;
    return code === 126 ? "its policy refuses it" : `the call ended with code ${code}`;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return errorText(error);
  }
}
