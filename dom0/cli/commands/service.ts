// SPDX-License-Identifier: GPL-2.0-or-later
/** enable, disable, restart, lockdown, unlock: whether the daemon runs, and whether it runs commands. @module */

import { expectWords, parseWords } from "../../../shared/cli/options.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { lockDown, unlock as liftLockdown } from "../../operator/lockdown.ts";
import { drainDaemon } from "../../operator/drain.ts";
import { disableService, enableService, restartService, UNIT } from "../../operator/service.ts";
import { type Operator, requireRoot } from "../operator.ts";

const RISK_TEXT = `This starts qvm-remote-dom0 now and at every boot.

While it runs, each authorised VM can run what the policy lets it run in dom0. With
"--grant full" that is any command, as root: whoever controls such a VM controls dom0,
and with it every other VM. Qubes keeps VMs away from dom0 for this reason. Use this
only on a machine where you accept that.
`;

export async function enable(operator: Operator, words: readonly string[]): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 enable");
  requireRoot(operator, "enable");
  operator.print(RISK_TEXT);
  if (operator.ask('Type "yes" to enable it: ')?.trim() !== "yes") {
    throw new UserError("not enabled");
  }
  await enableService(operator);
  operator.print(`Enabled and started ${UNIT}.\n`);
  return 0;
}

export async function disable(operator: Operator, words: readonly string[]): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 disable");
  requireRoot(operator, "disable");
  await disableService(operator);
  operator.print(`Stopped and disabled ${UNIT}.\n`);
  return 0;
}

/**
 * restart: for a daemon whose program was replaced. What VMs have running ends by itself first, and
 * it may be one of their commands that replaced the program. Nothing new begins meanwhile.
 */
export async function restart(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { now: "flag" });
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 restart [--now]");
  requireRoot(operator, "restart");
  using _held = options.has("now") ? null : await drainDaemon(operator, waitsFor(operator));
  await restartService(operator);
  operator.print(`Restarted ${UNIT}.\n`);
  return 0;
}

/** Says what a drain waits for, once. */
export function waitsFor({ print }: Pick<Operator, "print">): (running: readonly string[]) => void {
  let said = "";
  return (running) => {
    const text = running.map((line) => `  ${line}\n`).join("");
    if (text !== said) print(`Waits for the end of:\n${text}`);
    said = text;
  };
}

export async function lockdown(operator: Operator, words: readonly string[]): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 lockdown");
  requireRoot(operator, "lockdown");
  await lockDown(operator);
  operator.print("Locked down: nothing runs, and nothing will until unlock.\n");
  return 0;
}

export async function unlock(operator: Operator, words: readonly string[]): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 unlock");
  requireRoot(operator, "unlock");
  if (!await liftLockdown(operator)) {
    operator.warn("It was not locked down.\n");
    return 1;
  }
  operator.print("Unlocked.\n");
  return 0;
}
