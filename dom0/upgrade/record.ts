// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How far an upgrade has come: a small file, written before each step begins, so that whatever ends the program,
 * the next one knows where it stopped. On the disk, in /var/lib/qvm-remote/upgrade:
 *
 *     state.json    this
 *     new/          what is to be installed, checked
 *     old/          the programs that were there, and the configuration
 *     packages/     what the last upgrade installed: it leads back from the next one
 *
 * @module
 */

import { durableWrite } from "../../shared/io/durable.ts";
import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { newerFormat } from "../../shared/io/state_formats.ts";
import { UserError } from "../../shared/cli/program.ts";
import type { Paths } from "../settings/paths.ts";

export const UPGRADE_VERSION = 1;
const MAX_RECORD_BYTES = 64 * 1024;

/** What is installed, and by what. */
export type ReleaseKind = "rpm" | "archive";

/** The steps of both ways, in their order. */
export const STEPS = {
  forward: ["keep", "stop", "install", "try", "start", "check", "done"],
  back: ["stop", "put-back", "try", "start", "check", "done"],
} as const;
export type Way = keyof typeof STEPS;
export type Step = typeof STEPS[Way][number];

export interface ReleaseFile {
  /** In new/. */
  readonly name: string;
  readonly sha256: string;
}

export interface UpgradeRecord {
  readonly way: Way;
  /** It was begun, and is not known to be done. */
  readonly step: Step;
  readonly kind: ReleaseKind;
  readonly files: readonly ReleaseFile[];
  /** Version of the programs that were there. */
  readonly from: string;
  /** The newest state that they know. */
  readonly formats: Readonly<Record<string, number>>;
  /** Whether the daemon ran when it began. */
  readonly wasRunning: boolean;
  /** Whether the programs may be others than before. */
  readonly touched: boolean;
  readonly startedAt: string;
  readonly by: string;
  /** Why it went back; null: it did not, or a person wanted it. */
  readonly failure: string | null;
}

export function isFinished({ step }: Pick<UpgradeRecord, "step">): boolean {
  return step === "done";
}

/** undefined: there was none yet. @throws {ConfigError} a newer program wrote it */
export async function readUpgrade(
  { upgradeFile }: Pick<Paths, "upgradeFile">,
): Promise<UpgradeRecord | undefined> {
  const text = await ifPresent(readSmallText(upgradeFile, MAX_RECORD_BYTES));
  if (text === undefined) return undefined;
  const { version, ...record } = JSON.parse(text); // our own file, in a folder of root's
  if (version > UPGRADE_VERSION) throw newerFormat(upgradeFile, version, UPGRADE_VERSION);
  const known: readonly string[] = record.way === "back" ? STEPS.back : STEPS.forward;
  if (!known.includes(record.step)) {
    throw new UserError(`${upgradeFile} names a step that there is not`, [
      'look at it; "qvm-remote-dom0 upgrade --rollback" needs it',
    ]);
  }
  return record;
}

export async function writeUpgrade(
  { upgradeFile }: Pick<Paths, "upgradeFile">,
  record: UpgradeRecord,
): Promise<void> {
  await durableWrite(upgradeFile, `${JSON.stringify({ version: UPGRADE_VERSION, ...record })}\n`);
}

/** One line for the journal and for "status"; null: nothing is unfinished. */
export function unfinishedText(record: UpgradeRecord | undefined): string | null {
  if (record === undefined || isFinished(record)) return null;
  const what = record.way === "forward" ? "an upgrade" : "a return to the programs before";
  return `${what} stopped at the step "${record.step}": "qvm-remote-dom0 upgrade --resume" goes on` +
    (record.way === "forward" ? ', "qvm-remote-dom0 upgrade --rollback" goes back' : "");
}
