// SPDX-License-Identifier: GPL-2.0-or-later
/** Stopping everything, over reboots, and lifting that. @module */

import { durableRemove, durableWrite } from "../../shared/io/durable.ts";
import { exists } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { waitForState } from "../daemon/state_file.ts";
import { type Acting, recordAction } from "./acting.ts";
import { UNIT } from "./service.ts";

/**
 * Resolves when nothing runs any more.
 *
 * @throws {UserError} the daemon has not stopped everything in time; nothing new runs, though
 */
export async function lockDown(acting: Acting): Promise<void> {
  const { paths } = acting;
  // The file first: it holds whatever fails below.
  await durableWrite(paths.lockdownFile, "Lifted by: qvm-remote-dom0 unlock\n");
  await recordAction(acting, "lockdown", {});
  const seen = await waitForState(
    paths,
    (state) => state.lockdown && state.vms.every(({ open }) => open.length === 0),
  );
  if (seen !== false) return;
  throw new UserError("the daemon has not stopped everything yet", [
    `run "systemctl kill -s KILL ${UNIT}" to be sure`,
  ]);
}

/** @returns false if it was not locked down */
export async function unlock(acting: Acting): Promise<boolean> {
  const { paths } = acting;
  if (!await exists(paths.lockdownFile)) return false;
  await recordAction(acting, "unlock", {});
  await durableRemove(paths.lockdownFile);
  await waitForState(paths, (state) => !state.lockdown);
  return true;
}
