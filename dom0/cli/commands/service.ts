// SPDX-License-Identifier: GPL-2.0-or-later
/** enable, disable, lockdown, unlock: whether the daemon runs, and whether it runs commands. @module */

import { durableRemove, durableWrite } from "../../../shared/io/durable.ts";
import { exists } from "../../../shared/io/files.ts";
import { expectWords, parseWords } from "../../../shared/io/options.ts";
import { UserError } from "../../../shared/io/program.ts";
import { type Operator, recordAction, requireRoot } from "../operator.ts";
import { waitForState } from "../../daemon/state_file.ts";

export const UNIT = "qvm-remote-dom0.service";

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
  await systemctl("enable", "--now", UNIT);
  await recordAction(operator, "enable", {});
  operator.print(`Enabled and started ${UNIT}.\n`);
  return 0;
}

export async function disable(operator: Operator, words: readonly string[]): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 disable");
  requireRoot(operator, "disable");
  await systemctl("disable", "--now", UNIT);
  await recordAction(operator, "disable", {});
  operator.print(`Stopped and disabled ${UNIT}.\n`);
  return 0;
}

/** @throws {UserError} with what systemctl said, if it failed */
export async function systemctl(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("systemctl", {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code === 0) return;
  const said = new TextDecoder().decode(stderr).trim();
  throw new UserError(`systemctl ${args.join(" ")} failed with code ${code}: ${said}`, [
    `see "journalctl -u ${UNIT}"`,
  ]);
}

export async function lockdown(operator: Operator, words: readonly string[]): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 lockdown");
  requireRoot(operator, "lockdown");
  const { paths } = operator;
  // The file first: it holds whatever fails below.
  await durableWrite(paths.lockdownFile, "Lifted by: qvm-remote-dom0 unlock\n");
  await recordAction(operator, "lockdown", {});
  const seen = await waitForState(
    paths,
    (state) => state.lockdown && state.vms.every(({ open }) => open.length === 0),
  );
  if (seen === false) {
    throw new UserError("the daemon has not stopped everything yet", [
      `run "systemctl kill -s KILL ${UNIT}" to be sure`,
    ]);
  }
  operator.print("Locked down: nothing runs, and nothing will until unlock.\n");
  return 0;
}

export async function unlock(operator: Operator, words: readonly string[]): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 unlock");
  requireRoot(operator, "unlock");
  const { paths } = operator;
  if (!await exists(paths.lockdownFile)) {
    operator.warn("It was not locked down.\n");
    return 1;
  }
  await recordAction(operator, "unlock", {});
  await durableRemove(paths.lockdownFile);
  await waitForState(paths, (state) => !state.lockdown);
  operator.print("Unlocked.\n");
  return 0;
}
