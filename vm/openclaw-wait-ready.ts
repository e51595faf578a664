// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw-wait-ready: ends when the gateway, or the proxy, is ready to work; asks this VM's
 * loopback only. For ExecStartPost= of the units, so that units ordered after them can rely on it.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { expectWords, parseNumber, parseWords } from "../shared/cli/options.ts";
import { EXIT_FAILED, EXIT_OK, runProgram, UsageError, writeAll } from "../shared/cli/program.ts";
import { VERSION } from "../shared/io/version.ts";
import { type Endpoint, probe } from "./connect/endpoint.ts";
import { waitReady } from "./connect/wait_ready.ts";
import { loadVmSettings } from "./settings/vm_settings.ts";

const PROGRAM = "openclaw-wait-ready";
const USAGE = `${PROGRAM} gateway|proxy [--timeout SECONDS]`;
/** The gateway was ready after 9 to 18 s on two cores. */
const DEFAULT_TIMEOUT_S = 75;
const MAX_TIMEOUT_S = 3600;
/** It starts once, and others wait for it: asking once a second is worth it. */
const LONGEST_PAUSE_MS = 1000;

async function main(args: readonly string[]): Promise<number> {
  const say = (line: string): void => writeAll(Deno.stdout, `${line}\n`);
  const words = parseWords(
    args,
    { help: "flag", version: "flag", timeout: "value" },
    { h: "help" },
    "anywhere",
  );
  if (words.has("help")) return say(`usage: ${USAGE}`), EXIT_OK;
  if (words.has("version")) return say(`${PROGRAM} ${VERSION}`), EXIT_OK;
  expectWords(words.rest, 1, 1, USAGE);
  const timeout = words.value("timeout") ?? String(DEFAULT_TIMEOUT_S);
  const isReady = await waitReady({
    endpoints: [await endpointOf(words.rest[0] ?? "")],
    timeoutMs: 1000 * parseNumber("--timeout", timeout, 1, MAX_TIMEOUT_S),
    probe,
    nowMs: () => performance.now(),
    pause: (ms) => delay(Math.min(ms, LONGEST_PAUSE_MS)),
    stop: new AbortController().signal,
    say,
    goOn: false,
  });
  return isReady ? EXIT_OK : EXIT_FAILED;
}

async function endpointOf(name: string): Promise<Endpoint> {
  if (name !== "gateway" && name !== "proxy") {
    throw new UsageError("only the gateway and the proxy can be waited for", [`usage: ${USAGE}`]);
  }
  const { gatewayPort, proxyPort } = await loadVmSettings(Deno.env.get("HOME") ?? "");
  const url = `http://127.0.0.1:${name === "gateway" ? gatewayPort : proxyPort}/`;
  return { name, url, healthUrl: `${url}${name === "gateway" ? "readyz" : "health"}` };
}

if (import.meta.main) Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));
