// SPDX-License-Identifier: GPL-2.0-or-later
/** Every operator's command and option, once: for running, for --help, for the completion. @module */

import type { OptionTable } from "../../shared/cli/options.ts";
import {
  approve,
  APPROVE_WORDS,
  cancel,
  deny,
  grants,
  pending,
  show,
} from "./commands/approval.ts";
import { archive, ARCHIVE_WORDS } from "./commands/archive.ts";
import { audit } from "./commands/audit.ts";
import {
  authorize,
  AUTHORIZE_WORDS,
  connect,
  CONNECT_WORDS,
  disconnect,
  keys,
  revoke,
} from "./commands/authorize.ts";
import { history, HISTORY_WORDS } from "./commands/history.ts";
import { migrate, MIGRATE_WORDS } from "./commands/migrate.ts";
import { ops, policy } from "./commands/policy.ts";
import { disable, enable, lockdown, restart, unlock } from "./commands/service.ts";
import { checkConfig, queue, status } from "./commands/status.ts";
import { undo, UNDO_WORDS } from "./commands/undo.ts";
import { selfCheckCommand, upgrade, UPGRADE_WORDS } from "./commands/upgrade.ts";
import { uninstall } from "./commands/uninstall.ts";
import type { Operator } from "./operator.ts";

export interface CommandEntry {
  readonly run: (operator: Operator, words: readonly string[]) => Promise<number>;
  /** What follows its name. */
  readonly words: string;
  readonly about: string;
  /** It does what it can even where a newer program has been at work. */
  readonly withAnyState?: true;
}

export const DAEMON_OPTIONS: OptionTable = {
  vm: "values",
  once: "flag",
  "dry-run": "flag",
  verbose: "flag",
  cgroup: "value",
  "no-cgroup": "flag",
  help: "flag",
  version: "flag",
};

export const DAEMON_SHORT = { v: "verbose", h: "help" } as const;

export const COMMANDS: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  ["authorize", {
    run: authorize,
    words: AUTHORIZE_WORDS,
    about: "let a VM send commands; asks for its key, or fetches it from the VM",
  }],
  ["revoke", {
    run: revoke,
    words: "VM",
    about: "take a VM's right away, at once, and end what it has running",
  }],
  ["connect", {
    run: connect,
    words: CONNECT_WORDS,
    about: "authorize a running VM with its own key, after checking that it answers",
  }],
  ["disconnect", { run: disconnect, words: "VM", about: "revoke, and empty the VM's queue" }],
  ["keys", { run: keys, words: "[--json]", about: "the authorised VMs and their fingerprints" }],
  ["status", {
    run: status,
    words: "[--json]",
    about: "what the daemon is doing",
    withAnyState: true,
  }],
  ["queue", {
    run: queue,
    words: "[status|clean|recover|debug] [VM] [--json]",
    about: "look into the queues, or clear out what nobody waits for",
  }],
  ["audit", {
    run: audit,
    words: "show [--vm VM] [--since TIME] [--failed] [-n N] [--json] | " +
      "report [--since TIME] [--json] | verify [--json]",
    about: "read the record of everything, who did what on one page, or check that it is whole",
  }],
  ["history", {
    run: history,
    words: HISTORY_WORDS,
    about: "the requests one by one: operation, decision, end, and whether they can be undone",
  }],
  ["undo", {
    run: undo,
    words: UNDO_WORDS,
    about:
      "take back what a request did, or a change of a file; shows what changed since, and asks",
  }],
  ["archive", {
    run: archive,
    words: ARCHIVE_WORDS,
    about:
      "remote.conf, policy, and if asked the keys, in a file of root's; look at it, take it in",
  }],
  ["check-config", {
    run: checkConfig,
    words: "[--json]",
    about: "say what is wrong with configuration, keys and policy",
  }],
  ["policy", {
    run: policy,
    words: "check [--json] | list [--json] | explain VM -- WORDS",
    about: "look at the rules: what is wrong or odd, all of them, or which one decides and why",
  }],
  ["ops", {
    run: ops,
    words: "[--json]",
    about: "the operations that rules can name, their levels, and the words they run",
  }],
  ["pending", {
    run: pending,
    words: "[--json] [--watch]",
    about: "the requests that wait for an answer",
  }],
  ["show", {
    run: show,
    words: "ID [--json]",
    about: "one of them in full: what it runs, who wants it, what it would change",
  }],
  ["approve", {
    run: approve,
    words: APPROVE_WORDS,
    about: "let it run, as it was shown; --for lets it run again without a question",
  }],
  ["deny", {
    run: deny,
    words: "ID [--reason TEXT]",
    about: "refuse it",
  }],
  ["cancel", {
    run: cancel,
    words: "ID",
    about: "end a request of a VM that runs or waits, by the id that status shows",
  }],
  ["grants", {
    run: grants,
    words: "[--json] | revoke N",
    about: "what may run for a while without a question, or the end of that",
  }],
  ["lockdown", {
    run: lockdown,
    words: "",
    about: "stop everything, until unlock",
    withAnyState: true,
  }],
  ["unlock", { run: unlock, words: "", about: "lift a lockdown" }],
  ["enable", { run: enable, words: "", about: "start the daemon now and at every boot" }],
  ["disable", {
    run: disable,
    words: "",
    about: "stop the daemon, now and for later boots",
    withAnyState: true,
  }],
  ["restart", {
    run: restart,
    words: "[--now]",
    about: "restart the daemon when nothing of its VMs runs any more; --now: at once",
  }],
  ["migrate", {
    run: migrate,
    words: MIGRATE_WORDS,
    about: "from the Python original: says what it found and would do; --apply does it",
  }],
  ["upgrade", {
    run: upgrade,
    words: UPGRADE_WORDS,
    about: "install packages or an archive, check that all works, and go back by itself if not",
    withAnyState: true,
  }],
  ["self-check", {
    run: selfCheckCommand,
    words: "",
    about: "try the installed program with a request of its own, beside the daemon that runs",
    withAnyState: true,
  }],
  ["uninstall", {
    run: uninstall,
    words: "[--yes]",
    about: "stop, disable and remove all that was installed; keys, policy and record stay",
  }],
]);

export const HELP = `qvm-remote-dom0 - run in dom0 what authorised VMs ask for

usage: qvm-remote-dom0 [--vm VM]... [--once] [--dry-run] [-v] [--cgroup DIR | --no-cgroup]
       qvm-remote-dom0 COMMAND [WORDS]

Without a command it is the daemon: it reads the queues of the VMs in
/etc/qubes/remote.conf that have a key, and runs what the policy allows.

  --vm VM       only this VM (may be repeated), whatever the configuration lists
  --once        serve what is waiting now, then end
  --dry-run     say what would be run or refused; run nothing, change nothing
  -v, --verbose print each event on the terminal too
  --cgroup DIR  run commands in cgroups below DIR (not needed under systemd)
  --no-cgroup   run commands without cgroups: limits are not enforced
  --version, -h, --help

commands:
${
  [...COMMANDS].map(([name, { words, about }]) =>
    `  ${name} ${words}`.trimEnd() + `\n      ${about}\n`
  ).join("")
}
first steps:
  in the VM:  qvm-remote key gen
  in dom0:    qvm-remote-dom0 authorize --fetch --grant full VM
              qvm-remote-dom0 enable
  in the VM:  qvm-remote ping

exit codes: 0 good, 1 failed, 2 usage, 78 bad configuration
`;
