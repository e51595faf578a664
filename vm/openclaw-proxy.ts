// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw-proxy: one API on this VM's loopback in front of the model providers.
 *
 * @module
 */

import { ConfigError, EXIT_OK, runProgram, UserError, writeAll } from "../shared/cli/program.ts";
import { createNotifier } from "../shared/io/sd_notify.ts";
import { VERSION } from "../shared/io/version.ts";
import { HELP, MEMORY_VARIABLE, memoryMibOf, portOf, PROGRAM, readCommand } from "./proxy/cli.ts";
import type { Config } from "./proxy/config/config.ts";
import { checkKeys, environmentLine } from "./proxy/config/check_keys.ts";
import { checkReport } from "./proxy/config/check_report.ts";
import { loadConfig, type Places, placesOf } from "./proxy/config/load_config.ts";
import { permissionFlags } from "./proxy/config/permissions.ts";
import { createSecrets, runForSecret } from "./proxy/config/secrets.ts";
import { runServer } from "./proxy/run_server.ts";
import { areSocketsNamed } from "./proxy/http/vm_sockets.ts";

async function main(args: readonly string[]): Promise<number> {
  const say = (text: string): void => writeAll(Deno.stdout, text);
  const command = readCommand(args);
  if (command === "help") return say(HELP), EXIT_OK;
  if (command === "version") return say(`${PROGRAM} ${VERSION}\n`), EXIT_OK;
  const places = placesOf(home());
  const { config, path } = await load(places);
  const port = portOf(Deno.env.get("OPENCLAW_PROXY_PORT"), config.port);
  const notifySocket = Deno.env.get("NOTIFY_SOCKET");
  const sockets = areSocketsNamed() ? places.sockets : null;
  switch (command) {
    case "permissions":
      return say(
        permissionFlags(config, port, sockets, notifySocket !== undefined).join(" ") + "\n",
      ),
        EXIT_OK;
    case "check-config":
      return say(await checked(config, path, port, places)), EXIT_OK;
    case "serve":
      await runServer({
        config,
        port,
        places,
        memoryMib: memoryMibOf(Deno.env.get(MEMORY_VARIABLE)),
        load: async () => (await load(places)).config,
        notifier: createNotifier({ notifySocket, watchdogUsec: undefined }),
      });
      return EXIT_OK;
    default:
      return command satisfies never;
  }
}

async function checked(
  config: Config,
  path: string,
  port: number,
  { environment, sockets }: Places,
): Promise<string> {
  const secrets = createSecrets({
    environmentFile: environment,
    run: runForSecret,
    nowMs: () => Date.now(),
  });
  return checkReport(config, {
    path,
    port,
    socketFolder: areSocketsNamed() ? sockets : null,
    environment: await environmentLine(environment),
    keyOf: await checkKeys(config, secrets),
  });
}

function home(): string {
  const value = Deno.env.get("HOME") ?? "";
  if (value.startsWith("/")) return value;
  throw new UserError("HOME is not set", ["it says where .openclaw lies"]);
}

async function load(places: Places): Promise<{ config: Config; path: string }> {
  try {
    return await loadConfig(places, (name) => Deno.env.get(name));
  } catch (error) {
    if (error instanceof UserError) throw new ConfigError(error.message, error.hints);
    throw error;
  }
}

if (import.meta.main) Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));
