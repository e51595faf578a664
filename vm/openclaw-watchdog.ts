// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw-watchdog: restarts the gateway or the proxy when it has stopped answering, but not when a
 * restart would not help.
 *
 * @module
 */

import {
  ConfigError,
  EXIT_FAILED,
  EXIT_OK,
  runProgram,
  UserError,
  writeAll,
} from "../shared/cli/program.ts";
import { createNotifier } from "../shared/io/sd_notify.ts";
import { pause, unlessAborted } from "../shared/io/timing.ts";
import { VERSION } from "../shared/io/version.ts";
import { askHttp } from "./probe/http_answer.ts";
import { runProgramToEnd } from "./probe/run_program.ts";
import { loadVmSettings } from "./settings/vm_settings.ts";
import { readWatchCommand, WATCHDOG_HELP, WATCHDOG_PROGRAM } from "./watchdog/cli.ts";
import { loadWatchSettings } from "./watchdog/settings.ts";
import { createWatch, type Level, watchedParts, type WatchParts } from "./watchdog/watch.ts";

/** sd-daemon(3): what the journal takes for a line's level. */
const LEVEL_PREFIX: Readonly<Record<Level, string>> = {
  error: "<3>",
  warning: "<4>",
  info: "<6>",
};

async function main(args: readonly string[]): Promise<number> {
  const command = readWatchCommand(args);
  if (command === "help") return writeAll(Deno.stdout, WATCHDOG_HELP), EXIT_OK;
  if (command === "version") {
    return writeAll(Deno.stdout, `${WATCHDOG_PROGRAM} ${VERSION}\n`), EXIT_OK;
  }
  const parts = await load();
  if (watchedParts(parts.vm).length === 0) {
    throw new ConfigError("there is nothing to watch in a client VM", [
      "it runs in the agent VM, and in the VM with the keys",
    ]);
  }
  if (command === "watch") return await watch(parts), EXIT_OK;
  const once = { ...parts, watch: { ...parts.watch, restart: "no" as const } };
  const { summary, allWell } = await createWatch({ ...once, say() {} })();
  writeAll(Deno.stdout, summary.replaceAll(", ", "\n") + "\n");
  return allWell ? EXIT_OK : EXIT_FAILED;
}

async function load(): Promise<WatchParts> {
  const home = Deno.env.get("HOME") ?? "";
  const inJournal = Deno.env.get("JOURNAL_STREAM") !== undefined;
  try {
    return {
      vm: await loadVmSettings(home),
      watch: await loadWatchSettings(home),
      ask: askHttp,
      run: runProgramToEnd,
      nowMs: () => Date.now(),
      say: (level, text) =>
        writeAll(Deno.stderr, `${inJournal ? LEVEL_PREFIX[level] : `${level}: `}${text}\n`),
    };
  } catch (error) {
    if (error instanceof UserError) throw new ConfigError(error.message, error.hints);
    throw error;
  }
}

async function watch(parts: WatchParts): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  const notifier = createNotifier({
    notifySocket: Deno.env.get("NOTIFY_SOCKET"),
    watchdogUsec: Deno.env.get("WATCHDOG_USEC"),
  });
  const round = createWatch(parts);
  await notifier.ready();
  let told = "";
  while (!stop.signal.aborted) {
    // Restarting a busy gateway takes minutes: stopping the watchdog does not wait for that.
    const found = await unlessAborted(stop.signal, round());
    if (found === undefined) break;
    if (found.summary !== told) await notifier.status(found.summary);
    told = found.summary;
    await pause(parts.watch.everySeconds * 1000, stop.signal);
  }
  notifier.close();
}

if (import.meta.main) Deno.exit(await runProgram(WATCHDOG_PROGRAM, () => main(Deno.args)));
