// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of openclaw-watchdog. @module */

import { expectWords, type OptionTable, parseWords } from "../../shared/io/options.ts";
import { UserError } from "../../shared/io/program.ts";

export const WATCHDOG_PROGRAM = "openclaw-watchdog";
export const WATCHDOG_OPTIONS: OptionTable = { help: "flag", once: "flag", version: "flag" };

/** sysexits.h EX_CONFIG: starting again would not mend it. */
export class WatchConfigError extends UserError {
  override readonly name = "WatchConfigError";
  override readonly exitCode = 78;
}

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

Asks the gateway and the proxy of this VM every 30 s, and restarts the unit of one that fails three
times in a row: at most three times in an hour, then it says so and waits until it answers again.
It never restarts what is starting, letting its work end, or was stopped; nor for a provider's
outage, a refused key, or a channel of the gateway that is down.

  --once     asks once, says what it found, restarts nothing; exit code 1 if something fails
  -h, --help, --version

~/.config/openclaw/vm.json says what runs here; ~/.config/openclaw/watchdog.json may set:
  everySeconds 30, answerSeconds 5, failures 3, restartsPerHour 3, startSeconds 120,
  backoffSeconds 60, gatewayMegabytes 0 (restart when idle above it; 0: never), idleSeconds 600,
  restart "yes" or "no", tellDom0 "no" or "yes" (the qrexec service openclaw.Notice, if dom0's
  policy allows it)

Exit codes: 0 ended as asked, 1 failure, 2 the words do not fit, 78 the configuration is wrong, or
there is nothing to watch here.
`;
