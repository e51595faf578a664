// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw-connect: in a client VM, brings the agent VM's proxy and gateway to this VM's loopback.
 *
 * The user unit runs this and not openclaw-tunnel itself, because a user's configuration names
 * the VM, and because a listening tunnel does not tell whether anything answers behind it.
 *
 * @module
 */

import { clientConfFiles } from "../shared/io/openclaw_conf.ts";
import { EXIT_FAILED, EXIT_OK, runProgram, writeAll } from "../shared/cli/program.ts";
import { pause, unlessAborted } from "../shared/io/timing.ts";
import { VERSION } from "../shared/io/version.ts";
import { CONNECT_HELP, CONNECT_PROGRAM, readSettings, type Settings } from "./connect/cli.ts";
import { endpointsOf, probe } from "./connect/endpoint.ts";
import { startTunnel } from "./connect/supervise.ts";
import { waitReady } from "./connect/wait_ready.ts";

async function main(args: readonly string[]): Promise<number> {
  const say = (line: string): void => writeAll(Deno.stdout, `${line}\n`);
  const [home, root] = [Deno.env.get("HOME") ?? "", Deno.env.get("QUBES_CLAW_ROOT") ?? ""];
  const settings = await readSettings(args, clientConfFiles(home, root));
  if (settings === "help") return writeAll(Deno.stdout, CONNECT_HELP), EXIT_OK;
  if (settings === "version") return say(`${CONNECT_PROGRAM} ${VERSION}`), EXIT_OK;
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  if (settings.once) {
    return await wait(settings, stop.signal, say) ? EXIT_OK : EXIT_FAILED;
  }
  const tunnel = startTunnel(settings);
  const ready = wait(settings, stop.signal, say);
  const code = await unlessAborted(stop.signal, tunnel.ended);
  stop.abort(); // ends the wait
  if (code === undefined) await tunnel.stop();
  await ready;
  return code ?? EXIT_OK;
}

async function wait(
  settings: Settings,
  stop: AbortSignal,
  say: (line: string) => void,
): Promise<boolean> {
  return await waitReady({
    endpoints: endpointsOf(settings),
    timeoutMs: settings.timeoutMs,
    probe,
    nowMs: () => performance.now(),
    pause: (ms) => pause(ms, stop),
    stop,
    say,
    goOn: !settings.once,
  });
}

if (import.meta.main) Deno.exit(await runProgram(CONNECT_PROGRAM, () => main(Deno.args)));
