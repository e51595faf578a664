// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * qrexec-client of the simulated dom0: one call to one VM, over stdio.
 *
 * What programs may count on, and what they may not, is in
 * shared/reference/qrexec.md, section 4. Started by a launcher in W/bin/dom0,
 * which puts the folder of the world in front of the arguments.
 *
 * @module
 */
import { parseClientOptions } from "./client_options.ts";
import { EXIT_PROBLEM } from "./exit_codes.ts";
import { relayCall } from "./client_relay.ts";
import { worldPaths } from "./layout.ts";

/** Logs as the real one does: with the time, on stderr. */
function log(text: string): void {
  const now = new Date().toISOString().replace("T", " ").slice(0, -1);
  const line = `${now} qrexec-client[${Deno.pid}]: ${text}\n`;
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(line));
  } catch {
    // nobody listens
  }
}

/** Connects, or undefined after the log line. */
async function connect(path: string): Promise<Deno.UnixConn | undefined> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "No such file or directory"
      : error instanceof Deno.errors.ConnectionRefused
      ? "Connection refused"
      : String(error);
    log(`qrexec-daemon-common.c:159:connect_unix_socket: connect ${path}: ${reason}`);
    return undefined;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const [folder = "", ...rest] = args;
  const options = parseClientOptions(rest);
  if ("exitCode" in options) {
    (options.exitCode === 0 ? Deno.stdout : Deno.stderr)
      .writeSync(new TextEncoder().encode(options.text));
    return options.exitCode;
  }
  const socketDir = options.socketDir ?? worldPaths(folder).socketDir;
  const conn = await connect(`${socketDir}/qrexec.${options.vm}`);
  if (conn === undefined) return EXIT_PROBLEM;
  const command = options.command.replace(/^DEFAULT:/, "user:");
  return await relayCall(conn, { ...options, command }, log);
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args));
}
