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

const WHERE = "--passphrase-file|-p={passphrase_file} [--dest-vm|-d={dest_vm}]";
const LEFT_OUT = "[--exclude|-x={exclude}...]";

export const BACKUP: Readonly<Record<string, Definition>> = {
  "backup.start": {
    summary: "Back up the qubes that are marked for it, or chosen ones, into a folder",
    level: "manage",
    parameters: {
      passphrase_file,
      dest_vm: optional("qube", "the qube that gets the backup; dom0 if not given"),
      location: required("path", "the folder it is written to"),
      vms: optional("qubes", "only these, with commas between them"),
      exclude: optional("qubes", "not these, with commas between them"),
    },
    // A file in dom0, or all that is marked: no rule about some qubes is enough for it.
    alsoTouches: (values) => values.has("dest_vm") && values.has("vms") ? [] : [null],
    run: `qvm-backup --yes|-y ${WHERE} ${LEFT_OUT} {location} [{vms}...]`,
    result: NOTHING,
  },
  "backup.verify": {
    summary: "Read a whole backup and check it; nothing is restored",
    level: "monitor",
    parameters: {
      passphrase_file,
      dest_vm: optional("qube", "the qube that has the backup; dom0 if not given"),
      location: required("path", "the backup"),
    },
    run: `qvm-backup-restore --verify-only ${WHERE} {location}`,
    result: TEXT,
  },
  "backup.restore": {
    summary: "Add the qubes of a backup to this machine; those that are there stay as they are",
    // Restored qubes come with the tags that rules of the policy may be about.
    level: "full",
    parameters: {
      passphrase_file,
      dest_vm: optional("qube", "the qube that has the backup; dom0 if not given"),
      location: required("path", "the backup"),
      vms: optional("qubes", "only these, with commas between them"),
      exclude: optional("qubes", "not these, with commas between them"),
      skip_conflicting: optional("flag", "leave out those whose name is taken"),
      rename_conflicting: optional("flag", "give those whose name is taken another one"),
      ignore_missing: optional("flag", "use the default where a template or netvm is missing"),
      skip_broken: optional("flag", "leave out those whose template or netvm is missing"),
    },
    alsoTouches: () => [null],
    run: `qvm-backup-restore --skip-dom0-home ${WHERE} ${LEFT_OUT} [--skip-conflicting] ` +
      "[--rename-conflicting] [--ignore-missing] [--skip-broken] {location} [{vms}...]",
    result: TEXT,
  },
};
