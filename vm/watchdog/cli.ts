// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of openclaw-watchdog. @module */

import { expectWords, type OptionTable, parseWords } from "../../shared/cli/options.ts";

export const WATCHDOG_PROGRAM = "openclaw-watchdog";
export const WATCHDOG_OPTIONS: OptionTable = { help: "flag", once: "flag", version: "flag" };

export type WatchCommand = "watch" | "once" | "help" | "version";

/** @throws {UsageError} */
export function readWatchCommand(args: readonly string[]): WatchCommand {
  const words = parseWords(args, WATCHDOG_OPTIONS, { h: "help" }, "anywhere");
  if (words.has("help")) return "help";
  if (words.has("version")) return "version";
  expectWords(words.rest, 0, 0, `${WATCHDOG_PROGRAM} [--once]`);
  return words.has("once") ? "once" : "watch";
}

export const WATCHDOG_HELP = `usage: ${WATCHDOG_PROGRAM} [--once]

Checks this VM's gateway and proxy every 30 s, and restarts the unit of a part that fails three checks
in a row. After three restarts within an hour it logs an error and waits until the part answers again.
It never restarts a part that is starting, finishing its work, or was stopped by someone, nor because
of a provider outage, a rejected key, or a gateway channel that is down.

  --once     check once, print the result, restart nothing; exit code 1 if a check fails
  -h, --help, --version

~/.config/openclaw/vm.json lists what runs here; ~/.config/openclaw/watchdog.json may set:
  everySeconds 30, answerSeconds 5, failures 3, restartsPerHour 3, startSeconds 120,
  backoffSeconds 60, gatewayMegabytes 0 (restart when idle above it; 0: never), idleSeconds 600,
  restart "yes" or "no", tellDom0 "no" or "yes" (the qrexec service openclaw.Notice, if dom0's
  policy allows it)

Exit codes: 0 ended as asked, 1 failure, 2 the words do not fit, 78 the configuration is wrong, or
there is nothing to watch here.
`;
