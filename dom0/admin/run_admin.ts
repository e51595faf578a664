// SPDX-License-Identifier: GPL-2.0-or-later
/** The web admin as a service: over the daemon's files, until it is told to stop. @module */

import type { Clock } from "../../shared/io/clock.ts";
import { makePrivateFolder } from "../../shared/io/files.ts";
import { UserError, writeAll } from "../../shared/cli/program.ts";
import { createNotifier } from "../../shared/io/sd_notify.ts";
import { aborted } from "../../shared/io/timing.ts";
import type { Paths } from "../settings/paths.ts";
import { createDaemonChannel } from "./channel/daemon_channel.ts";
import { answersItself } from "./server/answers_itself.ts";
import { removeOldTickets } from "./server/tickets.ts";
import { startAdmin } from "./start_admin.ts";

export const PORT = 9876;

export interface AdminServiceOptions {
  readonly paths: Paths;
  readonly clock: Clock;
  readonly notify: {
    readonly notifySocket: string | undefined;
    readonly watchdogUsec: string | undefined;
  };
}

/** @throws {UserError} the port is taken */
export async function runAdmin(
  { paths, clock, notify }: AdminServiceOptions,
  stop: AbortSignal,
): Promise<void> {
  await makePrivateFolder(paths.adminRunFolder);
  await removeOldTickets(paths.adminRunFolder);
  const channel = createDaemonChannel(paths);
  const warn = (line: string): void => writeAll(Deno.stderr, `${line}\n`);
  const options = { port: PORT, channel, runFolder: paths.adminRunFolder, clock, warn };
  const admin = await startAdmin(options).catch((error) => {
    channel.close();
    throw isTaken(error)
      ? new UserError(`port ${PORT} of 127.0.0.1 is taken by another program`)
      : error;
  });
  // Who started the service waits for its first page: the list of qubes is there when the browser is.
  admin.prepare();
  const notifier = createNotifier({ ...notify, isAlive: () => answersItself(PORT) });
  await notifier.ready();
  await aborted(stop);
  notifier.close();
  await admin.close();
  channel.close();
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
