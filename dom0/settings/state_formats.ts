// SPDX-License-Identifier: GPL-2.0-or-later
/** All state that dom0 keeps over a restart, and in which form this program writes it. @module */

import type { StateFormat } from "../../shared/io/state_formats.ts";
import { RECORD_VERSION } from "../../shared/setup/record.ts";
import { CHANGE_VERSION } from "../policy/policy_changes.ts";
import { ANCHOR_VERSION } from "../record/anchor.ts";
import { UNDO_VERSION } from "../undo/undo_record.ts";
import { ARCHIVE_VERSION } from "./config_archive.ts";
import { UPGRADE_VERSION } from "../upgrade/record.ts";
import type { Paths } from "./paths.ts";

/**
 * Who changes the form of one of these raises its version here, and reads the older form, too. A
 * program from before then refuses what it would misread.
 */
export function stateFormats(paths: Paths): readonly StateFormat[] {
  return [
    { name: "ledger", version: 1, paths: [paths.ledgerFile, `${paths.ledgerFile}.dates`] },
    { name: "outcomes", version: 2, paths: [paths.outcomeFolder] },
    { name: "payloads", version: 1, paths: [paths.payloadFolder] },
    { name: "undo", version: UNDO_VERSION, paths: [paths.undoFolder] },
    { name: "policy-changes", version: CHANGE_VERSION, paths: [paths.policyChangesFolder] },
    { name: "config-changes", version: CHANGE_VERSION, paths: [paths.configChangesFolder] },
    { name: "archives", version: ARCHIVE_VERSION, paths: [paths.archivesFolder] },
    { name: "migration", version: RECORD_VERSION, paths: [paths.migrationFile] },
    { name: "audit", version: 1, paths: [paths.auditFile, paths.logFile] },
    { name: "anchor", version: ANCHOR_VERSION, paths: [paths.anchorFile] },
    { name: "configuration", version: 1, paths: [paths.config] },
    { name: "keys", version: 1, paths: [paths.keyFolder] },
    { name: "policy", version: 1, paths: [paths.policyFolder] },
    { name: "upgrade", version: UPGRADE_VERSION, paths: [paths.upgradeFolder] },
    { name: "lockdown", version: 1, paths: [paths.lockdownFile] },
  ];
}
