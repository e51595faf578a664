// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-remote-dom0: the daemon that runs what VMs ask for, and the operator's commands. @module */

import { unknownCommand } from "../shared/cli/did_you_mean.ts";
import { realClock } from "../shared/io/clock.ts";
import { parseWords } from "../shared/cli/options.ts";
import { runProgram, UsageError, writeAll } from "../shared/cli/program.ts";
import { createNotifier } from "../shared/io/sd_notify.ts";
import { refuseNewer } from "../shared/io/state_formats.ts";
import { VERSION } from "../shared/io/version.ts";
import { COMMANDS, DAEMON_OPTIONS, DAEMON_SHORT, HELP } from "./cli/command_table.ts";
import { CONFIG_ENVIRONMENT } from "./settings/config.ts";
import { runDaemon } from "./daemon/daemon.ts";
import { type Operator, realTerminal } from "./cli/operator.ts";
import { vmFromWord } from "./operator/vm_word.ts";
import { dom0Paths } from "./settings/paths.ts";
import { stateFormats } from "./settings/state_formats.ts";

const PROGRAM = "qvm-remote-dom0";

async function main(words: readonly string[]): Promise<number> {
  const options = parseWords(words, DAEMON_OPTIONS, DAEMON_SHORT);
  const terminal = realTerminal();
  if (options.has("help")) return say(terminal, HELP);
  if (options.has("version")) return say(terminal, `${PROGRAM} ${VERSION}\n`);
  const root = Deno.env.get("QUBES_CLAW_ROOT") ?? "";
  const [command, ...rest] = options.rest;
  const operator: Operator = {
    ...terminal,
    paths: dom0Paths(root),
    needsRoot: root === "",
    environment: readEnvironment(),
    invokedBy: Deno.env.get("SUDO_USER") ?? `uid ${Deno.uid()}`,
  };
  if (command !== undefined) {
    const known = COMMANDS.get(command);
    if (known === undefined) {
      throw unknownCommand("command", command, [...COMMANDS.keys()], `"${PROGRAM} --help"`);
    }
    if (rest.includes("--help") || rest.includes("-h")) return say(terminal, HELP);
    if (known.withAnyState !== true) await refuseNewerState(operator);
    return await known.run(operator, rest);
  }
  if (options.has("cgroup") && options.has("no-cgroup")) {
    throw new UsageError("--cgroup and --no-cgroup exclude each other");
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  const verbose = options.has("verbose") || options.has("dry-run");
  return await runDaemon({
    paths: operator.paths,
    environment: operator.environment,
    onlyVms: options.values("vm").map(vmFromWord),
    once: options.has("once"),
    dryRun: options.has("dry-run"),
    // Always to the journal; to a terminal only on request.
    say: verbose || !Deno.stdout.isTerminal() ? (line) => writeAll(Deno.stdout, line) : () => {},
    cgroup: options.has("no-cgroup") ? false : options.value("cgroup"),
    clock: realClock,
    underSystemd: Deno.env.get("INVOCATION_ID") !== undefined,
    notifier: createNotifier({
      notifySocket: Deno.env.get("NOTIFY_SOCKET"),
      watchdogUsec: Deno.env.get("WATCHDOG_USEC"),
    }),
  }, stop.signal);
}

/** Whoever may not read it will not get far either. */
async function refuseNewerState({ paths }: Operator): Promise<void> {
  try {
    await refuseNewer(paths.formatsFile, stateFormats(paths));
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

function say(terminal: Pick<Operator, "print">, text: string): number {
  terminal.print(text);
  return 0;
}

function readEnvironment(): ReadonlyMap<string, string> {
  const found = CONFIG_ENVIRONMENT.map((name) => [name, Deno.env.get(name)] as const);
  return new Map(found.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

if (import.meta.main) {
  Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));
}
