// SPDX-License-Identifier: GPL-2.0-or-later
/** The daemon, started: it does not run to be asked, and the web admin may start no program; systemd may. @module */

import { delay } from "@std/async/delay";
import { spanMs } from "../../../shared/io/clock.ts";
import { ifPresent, writeAtomically } from "../../../shared/io/files.ts";
import { Dom0Error } from "./dom0_channel.ts";

const LIMIT_MS = 15_000;
const LOOK_AGAIN_MS = 100;

/**
 * @param startFile a unit of systemd waits for it (qubes-claw-start.path)
 * @throws {Dom0Error} it does not run in time
 */
export async function startDaemon(
  startFile: string,
  isRunning: () => Promise<boolean>,
  limitMs = LIMIT_MS,
): Promise<void> {
  if (await isRunning()) throw new Dom0Error("The daemon runs already.");
  await writeAtomically(startFile, "");
  for (const endMs = spanMs() + limitMs; spanMs() < endMs;) {
    if (await isRunning()) return;
    await delay(LOOK_AGAIN_MS);
  }
  await ifPresent(Deno.remove(startFile));
  throw new Dom0Error(
    "It does not run yet. In dom0's terminal: systemctl status qvm-remote-dom0",
  );
}
