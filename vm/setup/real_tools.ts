// SPDX-License-Identifier: GPL-2.0-or-later
/** Running the programs of a VM. @module */

import { runCommand, type Tools } from "../../shared/setup/tools.ts";

/** 330 packages over Tor take their time. */
const NPM_LIMIT_MS = 60 * 60_000;
const LIMIT_MS = 6 * 60_000;

export const realTools: Tools = {
  run(command) {
    return runCommand(command, {
      limitMs: command.argv.includes("npm") ? NPM_LIMIT_MS : LIMIT_MS,
      absentHint: "setup-vm runs in a VM of Qubes OS, after make install-vm",
    });
  },
};
