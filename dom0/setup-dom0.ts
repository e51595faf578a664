// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-dom0: sets this Qubes up for OpenClaw, and takes the setup back. @module */

import { runProgram } from "../shared/cli/program.ts";
import { realTerminal } from "./cli/operator.ts";
import { runSetup } from "./setup/main.ts";
import { setupPaths } from "./setup/paths.ts";
import { realTools } from "./setup/tools.ts";

const PROGRAM = "setup-dom0";

async function main(words: readonly string[]): Promise<number> {
  const root = Deno.env.get("QUBES_CLAW_ROOT") ?? "";
  const { print, warn, ask } = realTerminal();
  return await runSetup({
    print,
    warn,
    ask,
    paths: setupPaths(root),
    tools: realTools,
    needsRoot: root === "",
  }, words);
}

if (import.meta.main) {
  Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));
}
