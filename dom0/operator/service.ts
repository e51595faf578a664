// SPDX-License-Identifier: GPL-2.0-or-later
/** The daemon's unit: whether it runs, now and at every boot. @module */

import { UserError } from "../../shared/cli/program.ts";
import { runTool } from "../../shared/io/run_tool.ts";
import { type Acting, recordAction } from "./acting.ts";

export const UNIT = "qvm-remote-dom0.service";

/** @throws {UserError} with what systemctl said, if it failed */
export async function enableService(acting: Acting): Promise<void> {
  await systemctl("enable", "--now", UNIT);
  await recordAction(acting, "enable", {});
}

/** @throws {UserError} with what systemctl said, if it failed */
export async function disableService(acting: Acting): Promise<void> {
  await systemctl("disable", "--now", UNIT);
  await recordAction(acting, "disable", {});
}

/** Whether it starts with the machine; null: systemd does not know the unit. */
export async function startsAtBoot(): Promise<boolean | null> {
  const { stdout } = await runTool(["systemctl", "is-enabled", UNIT]);
  const word = stdout.trim();
  return word === "enabled" ? true : word === "disabled" ? false : null;
}

/** What runs goes on running. @throws {UserError} with what systemctl said, if it failed */
export async function startAtBoot(acting: Acting, isOn: boolean): Promise<void> {
  await systemctl(isOn ? "enable" : "disable", UNIT);
  await recordAction(acting, isOn ? "enable-at-boot" : "disable-at-boot", {});
}

/** @throws {UserError} with what systemctl said, if it failed */
export async function restartService(acting: Acting): Promise<void> {
  await systemctl("restart", UNIT);
  await recordAction(acting, "restart", {});
}

/**
 * Asked by the daemon itself: systemd goes on with it when this process has ended. On record before.
 *
 * @throws {UserError} with what systemctl said, if it failed
 */
export async function turnOwnService(acting: Acting, verb: "restart" | "stop"): Promise<void> {
  await recordAction(acting, verb, {});
  await systemctl("--no-block", verb, UNIT);
}

/** @throws {UserError} with what systemctl said, if it failed */
export async function systemctl(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runTool(["systemctl", ...args]);
  if (code === 0) return;
  throw new UserError(`systemctl ${args.join(" ")} failed with code ${code}: ${stderr.trim()}`, [
    `see "journalctl -u ${UNIT}"`,
  ]);
}
