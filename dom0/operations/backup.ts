// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Backups. The passphrase stays in dom0: a request names a file there, never its content. Sources:
 * qvm_backup.py, qvm_backup_restore.py in qubes-core-admin-client.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { NOTHING, TEXT } from "./result.ts";

const passphrase_file = required("path", "a file in dom0 with the passphrase");
const BACKUP_SECONDS = 3600;

export const BACKUP: Readonly<Record<string, Definition>> = {
  "backup.start": {
    summary: "Back up all qubes that are marked for it into a folder of dom0 or of a qube",
    level: "manage",
    parameters: {
      passphrase_file,
      dest_vm: optional("qube", "the qube that gets the backup"),
      location: required("path", "the folder it is written to"),
    },
    run:
      "qvm-backup --yes|-y --passphrase-file|-p={passphrase_file} [--dest-vm|-d={dest_vm}] {location}",
    timeoutSeconds: BACKUP_SECONDS,
    result: NOTHING,
  },
  "backup.verify": {
    summary: "Read a whole backup and check it; nothing is restored",
    level: "monitor",
    parameters: {
      passphrase_file,
      dest_vm: optional("qube", "the qube that has the backup"),
      location: required("path", "the backup"),
    },
    run:
      "qvm-backup-restore --verify-only --passphrase-file|-p={passphrase_file} [--dest-vm|-d={dest_vm}] {location}",
    timeoutSeconds: BACKUP_SECONDS,
    result: TEXT,
  },
};
