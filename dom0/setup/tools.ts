// SPDX-License-Identifier: GPL-2.0-or-later
/** Running the tools of dom0. @module */

import { runCommand, type Tools } from "../../shared/setup/tools.ts";

export { runOrFail, type Tools } from "../../shared/setup/tools.ts";

/** Copying the disk of a template takes minutes. */
const CREATE_LIMIT_MS = 60 * 60_000;
const LIMIT_MS = 5 * 60_000;

/** What qvm-run passes on are the words of a VM, of any length: they are not even read. */
const SPEAKS_FOR_VM = "qvm-run";

export const realTools: Tools = {
  run(command) {
    const [program] = command.argv;
    return runCommand(command, {
      limitMs: program === "qvm-create" ? CREATE_LIMIT_MS : LIMIT_MS,
      isHeard: program !== SPEAKS_FOR_VM,
      absentHint: "setup-dom0 runs in dom0 of Qubes OS",
    });
  },
};
