// SPDX-License-Identifier: GPL-2.0-or-later
/** upgrade, self-check: new programs for old ones, with a way back. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { durableFolder } from "../../../shared/io/durable.ts";
import { releaseLock } from "../../../shared/io/file_lock.ts";
import { runTool } from "../../../shared/io/run_tool.ts";
import { VERSION } from "../../../shared/io/version.ts";
import { expectWords, parseWords } from "../../../shared/cli/options.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { tryInstanceLock } from "../../daemon/instance_lock.ts";
import { refuseForVm } from "../../operator/for_vm.ts";
import { UNIT } from "../../operator/service.ts";
import type { Paths } from "../../settings/paths.ts";
import { stateFormats } from "../../settings/state_formats.ts";
import { upgradeActions } from "../../upgrade/actions.ts";
import { checkPackages, installedBy } from "../../upgrade/installing.ts";
import {
  isFinished,
  readUpgrade,
  type ReleaseKind,
  unfinishedText,
  type UpgradeRecord,
} from "../../upgrade/record.ts";
import { bringRelease, parseSource } from "../../upgrade/release_files.ts";
import { backFrom, goOn } from "../../upgrade/run_upgrade.ts";
import { selfCheck } from "../../upgrade/self_check.ts";
import { checkTrust, type Trust, trustText } from "../../upgrade/trust.ts";
import { type Operator, requireRoot } from "../operator.ts";
import { waitsFor } from "./service.ts";

export const UPGRADE_WORDS = "[--key FILE] [--wait] [--yes] [--resume] [--rollback] [FILE]...";
const OPTIONS = {
  wait: "flag",
  key: "value",
  yes: "flag",
  resume: "flag",
  rollback: "flag",
} as const;

export async function upgrade(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, OPTIONS, {}, "anywhere");
  const { paths } = operator;
  requireRoot(operator, "upgrade");
  const goesOn = ["resume", "rollback"].filter((name) => options.has(name));
  if (goesOn.length > 1) throw new UsageError("--resume and --rollback exclude each other");
  if (goesOn.length === 0 && options.rest.length === 0) return await sayHow(operator);
  if (goesOn.length > 0) {
    expectWords(options.rest, 0, 0, `qvm-remote-dom0 upgrade ${UPGRADE_WORDS}`);
  }
  await refuseForVm();
  await durableFolder(paths.upgradeFolder);
  const lock = await tryInstanceLock(paths.upgradeFolder);
  if (lock === null) throw new UserError("another upgrade is under way");
  try {
    const before = await readUpgrade(paths);
    const record = options.has("rollback")
      ? backFrom(before)
      : options.has("resume")
      ? resumed(before)
      : await begun(operator, before, {
        words: options.rest,
        keyFile: options.value("key"),
        isSure: options.has("yes"),
      });
    const print = operator.print;
    const actions = upgradeActions({
      acting: operator,
      waits: options.has("wait"),
      print,
      waitsFor: waitsFor(operator),
    });
    await goOn(record, actions);
    return 0;
  } finally {
    releaseLock(lock);
  }
}

/** Where things stand. */
async function sayHow({ paths, print }: Operator): Promise<number> {
  const record = await readUpgrade(paths);
  const text = unfinishedText(record);
  if (text !== null) throw new UserError(text);
  const was = record === undefined
    ? "There was no upgrade yet."
    : record.way === "back"
    ? `The last upgrade, of ${record.startedAt}, was taken back.`
    : `The last upgrade was from ${record.from}, on ${record.startedAt}.`;
  print(`${was}\nInstalled: ${VERSION}\n`);
  return 0;
}

function resumed(record: UpgradeRecord | undefined): UpgradeRecord {
  if (record === undefined || isFinished(record)) {
    throw new UserError("no upgrade is unfinished");
  }
  return record;
}

interface Wanted {
  readonly words: readonly string[];
  readonly keyFile: string | undefined;
  /** --yes. */
  readonly isSure: boolean;
}

/** Brings it, checks it, shows it, asks. Nothing is changed yet. */
async function begun(
  operator: Operator,
  before: UpgradeRecord | undefined,
  { words, keyFile, isSure }: Wanted,
): Promise<UpgradeRecord> {
  const { paths, print } = operator;
  const unfinished = unfinishedText(before);
  if (unfinished !== null) throw new UserError(unfinished);
  const source = parseSource(words);
  const kind = await kindOf(source.names, paths);
  const folder = `${paths.upgradeFolder}/new`;
  await bringRelease(source, folder);
  const trust = await checkTrust({ folder, names: source.names, kind, keyFile });
  if (kind === "rpm") await checkPackages(source.names.map((name) => `${folder}/${name}`));
  print(`${trustText(trust, keyFile)}Installed: ${VERSION}, by ${kind}\n`);
  confirm(operator, trust, isSure);
  const { code } = await runTool(["systemctl", "is-active", "--quiet", UNIT]);
  return {
    way: "forward",
    step: "keep",
    kind,
    files: trust.files,
    from: VERSION,
    formats: Object.fromEntries(stateFormats(paths).map(({ name, version }) => [name, version])),
    wasRunning: code === 0,
    touched: false,
    startedAt: new Date(dateMs()).toISOString(),
    by: operator.invokedBy,
    failure: null,
  };
}

/** @throws {UserError} what is installed came by another way */
async function kindOf(names: readonly string[], paths: Paths): Promise<ReleaseKind> {
  const isPackages = names.every((name) => name.endsWith(".rpm"));
  if (!isPackages && names.length > 1) throw new UsageError("an archive is a single file");
  const kind = isPackages ? "rpm" : "archive";
  const installed = await installedBy(paths.installation);
  if (installed === kind) return kind;
  throw new UserError(
    installed === "rpm"
      ? "what is installed came from packages: upgrade it by packages"
      : "what is installed came from an archive: upgrade it by an archive",
  );
}

/** What nobody signed wants a word of its own, whatever was said before. */
function confirm({ ask }: Operator, { signed }: Trust, isSure: boolean): void {
  const [question, word] = signed.by === "nobody"
    ? ['Nobody vouches for this. Type "unsigned" to install it all the same: ', "unsigned"]
    : ['Type "yes" to upgrade: ', "yes"];
  if (isSure && word === "yes") return;
  if (ask(question)?.trim() !== word) throw new UserError("not upgraded");
}

export async function selfCheckCommand(
  operator: Operator,
  words: readonly string[],
): Promise<number> {
  expectWords(parseWords(words, {}).rest, 0, 0, "qvm-remote-dom0 self-check");
  requireRoot(operator, "self-check");
  await durableFolder(operator.paths.upgradeFolder);
  await selfCheck(`${operator.paths.upgradeFolder}/check`);
  operator.print("A request went from its signature to its outcome.\n");
  return 0;
}
