// SPDX-License-Identifier: GPL-2.0-or-later
/** Some of what an operator does would end the command that does it, if a VM asked for that. @module */

import { UserError } from "../../shared/cli/program.ts";
import { runTool } from "../../shared/io/run_tool.ts";

/** @throws {UserError} this process runs for a VM */
export async function refuseForVm(): Promise<void> {
  // A program of its own: Deno reads nothing of /proc/self without every permission there is.
  const { stdout } = await runTool(["cat", "/proc/self/cgroup"]);
  if (!/\/qvm-remote-[a-z0-9]+\.service/.test(stdout)) return;
  throw new UserError("this command runs for a VM, and stopping the daemon would end it", [
    "run it in a terminal of dom0",
  ]);
}
