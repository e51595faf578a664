// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * qvm-remote: runs a command in dom0 from this VM. See help.ts for what it takes.
 *
 * @module
 */

import { EXIT_OK, runProgram, UserError, writeAll } from "../shared/cli/program.ts";
import { VERSION } from "../shared/io/version.ts";
import { PROGRAM } from "./remote/commands/cli_table.ts";
import { type CommandLine, parseCommandLine } from "./remote/commands/cli_words.ts";
import { helpText } from "./remote/commands/help.ts";
import { runCommand } from "./remote/commands/run.ts";
import { subCommand } from "./remote/commands/table.ts";
import { type Layout, layoutOf } from "./remote/files/layout.ts";
import { namingOsErrors } from "./remote/files/os_error.ts";
import { refuseNewerState } from "./remote/files/state_formats.ts";
import { visibleJson } from "./remote/client/visible_text.ts";

async function main(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args);
  if (line.given.has("version")) {
    writeAll(Deno.stdout, `${PROGRAM} ${VERSION}\n`);
    return EXIT_OK;
  }
  const noCommand = line.kind === "run" && line.given.words.length === 0 &&
    !line.given.has("command") && Deno.stdin.isTerminal();
  if (line.given.has("help") || noCommand) {
    writeAll(Deno.stdout, helpText());
    return EXIT_OK;
  }
  const layout = layoutOf(Deno.env.get("HOME"));
  const run = () => namingOsErrors(() => dispatch(line, layout));
  if (!line.given.has("json")) return await run();
  try {
    return await run();
  } catch (error) { // a program that asked for JSON also gets its errors so
    if (!(error instanceof UserError)) throw error;
    const { message, hints, exitCode } = error;
    writeAll(Deno.stdout, visibleJson({ error: message, hints, exit: exitCode }) + "\n");
    throw error;
  }
}

async function dispatch(line: CommandLine, layout: Layout): Promise<number> {
  await refuseNewerState(layout);
  if (line.kind === "run") return await runCommand(layout, line.given);
  return await subCommand(line.path)(layout, line.given);
}

if (import.meta.main) Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));
