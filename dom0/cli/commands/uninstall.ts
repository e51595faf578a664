// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * uninstall: ends what install-dom0 put into dom0, then removes it. Which files those are,
 * install-dom0 wrote down. What a person made or edited stays, and is named.
 *
 * @module
 */

import { durableRemove } from "../../../shared/io/durable.ts";
import { exists, ifPresent, readSmallText } from "../../../shared/io/files.ts";
import { expectWords, parseWords } from "../../../shared/cli/options.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { recordAction } from "../../operator/acting.ts";
import { refuseForVm } from "../../operator/for_vm.ts";
import { type Operator, requireRoot } from "../operator.ts";
import type { Installation } from "../../settings/paths.ts";
import { systemctl } from "../../operator/service.ts";

const MAX_LIST_BYTES = 64 * 1024;
/** A line of the list: below /usr or among the qrexec services, and nowhere else. */
const INSTALLED_FILE = /^\/(usr|etc\/qubes-rpc)(\/[A-Za-z0-9@_+-][A-Za-z0-9@_.+-]*)+$/;
const UNIT_FILE = /\/systemd\/system\/([^/]+\.(?:service|timer))$/;

export async function uninstall(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { yes: "flag" });
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 uninstall [--yes]");
  requireRoot(operator, "uninstall");
  const { paths: { installation } } = operator;
  const files = await installedFiles(installation);
  const units = (await present(installation, files))
    .flatMap((file) => UNIT_FILE.exec(file)?.[1] ?? []);
  await refuseWhereItCannotEnd(installation);
  if (!options.has("yes")) {
    operator.print(
      `This stops and disables ${units.join(", ")}, and removes what was\n` +
        "installed. What VMs run is ended. Keys, policy, record and edited files stay.\n",
    );
    if (operator.ask('Type "yes" to uninstall: ')?.trim() !== "yes") {
      throw new UserError("not uninstalled");
    }
  }
  await recordAction(operator, "uninstall", {});
  await endUnits(units);
  for (const { file, shipped } of installation.edited) {
    if (await isSame(file, shipped)) await durableRemove(file);
  }
  for (const file of files) await durableRemove(installation.root + file);
  for (const folder of installation.ownFolders) await removeIfEmpty(folder);
  await systemctl("daemon-reload");
  operator.print("Uninstalled.\n");
  const kept = [...installation.edited.map(({ file }) => file), ...installation.kept];
  for (const path of kept) if (await exists(path)) operator.print(`Kept: ${path}\n`);
  return 0;
}

/** @throws {UserError} if install-dom0 was not here, or its list names something else */
async function installedFiles({ fileList }: Installation): Promise<readonly string[]> {
  const text = await ifPresent(readSmallText(fileList, MAX_LIST_BYTES));
  if (text === undefined) {
    throw new UserError(`what was installed is not known: there is no ${fileList}`, [
      "if a package installed this, remove the package",
      'from a checkout of this version: "sudo make uninstall-dom0"',
    ]);
  }
  const files = text.trimEnd().split("\n");
  const foreign = files.find((file) => !INSTALLED_FILE.test(file));
  if (foreign === undefined) return files;
  throw new UserError(`${fileList} names "${foreign}", which install-dom0 does not install`);
}

/** Refuses while there is something that could no longer be done without these programs. */
async function refuseWhereItCannotEnd({ setupRecord }: Installation): Promise<void> {
  if (await exists(setupRecord)) {
    throw new UserError(`setup-dom0 changed VMs, policy or services: ${setupRecord} says what`, [
      'first run "sudo setup-dom0 --undo"',
    ]);
  }
  await refuseForVm();
}

/** Instances of a template unit are stopped by a pattern and disabled by the template's name. */
async function endUnits(units: readonly string[]): Promise<void> {
  if (units.length === 0) return;
  await systemctl("stop", ...units.map((unit) => unit.replace("@.", "@*.")));
  await systemctl("disable", ...units);
}

async function present(
  { root }: Installation,
  files: readonly string[],
): Promise<readonly string[]> {
  const isThere = await Promise.all(files.map((file) => exists(root + file)));
  return files.filter((_, i) => isThere[i]);
}

async function isSame(file: string, shipped: string): Promise<boolean> {
  const [now, then] = await Promise.all(
    [file, shipped].map((path) => ifPresent(readSmallText(path, MAX_LIST_BYTES))),
  );
  return now !== undefined && now === then;
}

async function removeIfEmpty(folder: string): Promise<void> {
  for await (const _ of ifPresentEntries(folder)) return;
  await durableRemove(folder);
}

async function* ifPresentEntries(folder: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
