// SPDX-License-Identifier: GPL-2.0-or-later
/** QubesDB, through its own program: the daemon speaks a protocol that Deno has no client for. @module */

import { UserError } from "../../shared/io/program.ts";

/** @throws {UserError} where there is no QubesDB at all */
export async function readQubesDb(path: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("qubesdb-read", {
      args: [path],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trimEnd() : undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UserError("there is no qubesdb-read here", ["this has to run in a Qubes VM"]);
  }
}
