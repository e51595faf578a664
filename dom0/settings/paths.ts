// SPDX-License-Identifier: GPL-2.0-or-later
/** Where things lie in dom0. @module */

/** What install-dom0 put here, and what it left to people. */
export interface Installation {
  /** In front of each path of the list. */
  readonly root: string;
  /** The files that were installed, one absolute path a line. */
  readonly fileList: string;
  /** Files that people may edit, and what was shipped. */
  readonly edited: readonly { readonly file: string; readonly shipped: string }[];
  /** Folders of this project, the inner ones first. */
  readonly ownFolders: readonly string[];
  /** Never removed. */
  readonly kept: readonly string[];
  /** There while something is as setup-dom0 left it. */
  readonly setupRecord: string;
}

export interface Paths {
  /** KEY="value" lines; the operator's. */
  readonly config: string;
  /** <vm>.key, and <vm>.accept-v1 where protocol 1 is accepted. */
  readonly keyFolder: string;
  readonly policyFolder: string;
  /** Gone after a reboot. */
  readonly runFolder: string;
  /** What the daemon is doing now, for "status". */
  readonly stateFile: string;
  /** One line for the desktop's panel, which every user of dom0 may read. */
  readonly panelFile: string;
  /** What the web admin asks of the daemon, and its answers. */
  readonly adminFolder: string;
  /** The web admin's own: logins that nobody has used yet. */
  readonly adminRunFolder: string;
  /** There for a moment: somebody at the web admin wants the daemon started (systemd waits for it). */
  readonly startFile: string;
  /** Scripts that are being run. */
  readonly workFolder: string;
  /** What waits for a person. */
  readonly parkedFolder: string;
  /** How far plans have come. */
  readonly plansFolder: string;
  /** What runs for the operator, and what it prints. */
  readonly runsFolder: string;
  /** What an operator wants of the running daemon. */
  readonly ordersFolder: string;
  /** What must not be forgotten; locked by the one daemon that runs. */
  readonly libFolder: string;
  /** In which form all of that is; see state_formats.ts. */
  readonly formatsFile: string;
  readonly ledgerFile: string;
  readonly outcomeFolder: string;
  /** What requests bring, until they have ended. */
  readonly payloadFolder: string;
  /** What can be undone, a file for each. */
  readonly undoFolder: string;
  /** What files of policy were before they were changed, a file for each change. */
  readonly policyChangesFolder: string;
  /** What remote.conf was, in the same way. */
  readonly configChangesFolder: string;
  /** Archives of the configuration; some hold keys. */
  readonly archivesFolder: string;
  /** What "migrate" changed. */
  readonly migrationFile: string;
  /** How far an upgrade has come, and what leads back from it. */
  readonly upgradeFolder: string;
  readonly upgradeFile: string;
  /** Exists while everything is stopped; in /etc, so that a reboot does not lift it. */
  readonly lockdownFile: string;
  /** qubesd's own, which it writes anew with each change. */
  readonly qubesStore: string;
  /** For people. */
  readonly logFile: string;
  /** For machines: chained by hash. */
  readonly auditFile: string;
  /** How far that has come, on the disk and at this moment; not in a folder of logs. */
  readonly anchorFile: string;
  readonly liveAnchorFile: string;
  /** qrexec-daemon puts qrexec.<vm> here while that VM runs. */
  readonly qrexecFolder: string;
  readonly installation: Installation;
}

/** @param root put in front of every path: QUBES_CLAW_ROOT, for tests and demos */
export function dom0Paths(root: string): Paths {
  return {
    config: `${root}/etc/qubes/remote.conf`,
    keyFolder: `${root}/etc/qubes/remote.d`,
    policyFolder: `${root}/etc/qubes/remote-policy.d`,
    runFolder: `${root}/run/qvm-remote`,
    stateFile: `${root}/run/qvm-remote/state.json`,
    panelFile: `${root}/run/qvm-remote-panel/state`,
    adminFolder: `${root}/run/qvm-remote/admin`,
    adminRunFolder: `${root}/run/qubes-global-admin-web`,
    startFile: `${root}/run/qubes-global-admin-web/start-daemon`,
    workFolder: `${root}/run/qvm-remote/work`,
    parkedFolder: `${root}/run/qvm-remote/parked`,
    plansFolder: `${root}/run/qvm-remote/plans`,
    runsFolder: `${root}/run/qvm-remote/runs`,
    ordersFolder: `${root}/run/qvm-remote/orders`,
    libFolder: `${root}/var/lib/qvm-remote`,
    formatsFile: `${root}/var/lib/qvm-remote/formats`,
    ledgerFile: `${root}/var/lib/qvm-remote/ledger`,
    outcomeFolder: `${root}/var/lib/qvm-remote/outcomes`,
    payloadFolder: `${root}/var/lib/qvm-remote/payloads`,
    undoFolder: `${root}/var/lib/qvm-remote/undo`,
    policyChangesFolder: `${root}/var/lib/qvm-remote/policy-changes`,
    configChangesFolder: `${root}/var/lib/qvm-remote/config-changes`,
    archivesFolder: `${root}/var/lib/qvm-remote/archives`,
    migrationFile: `${root}/var/lib/qvm-remote/migration.json`,
    upgradeFolder: `${root}/var/lib/qvm-remote/upgrade`,
    upgradeFile: `${root}/var/lib/qvm-remote/upgrade/state.json`,
    lockdownFile: `${root}/etc/qubes/remote.lockdown`,
    qubesStore: `${root}/var/lib/qubes/qubes.xml`,
    logFile: `${root}/var/log/qubes/qvm-remote.log`,
    auditFile: `${root}/var/log/qubes/qvm-remote.audit.jsonl`,
    anchorFile: `${root}/var/lib/qvm-remote/audit-anchor`,
    liveAnchorFile: `${root}/run/qvm-remote/audit-anchor`,
    qrexecFolder: `${root}/run/qubes`,
    installation: installation(root),
  };
}

function installation(root: string): Installation {
  const [etc, share] = [`${root}/etc/qubes`, `${root}/usr/share/qubes-claw`];
  const policy = "30-qvm-remote.policy";
  return {
    root,
    fileList: `${share}/dom0-files`,
    edited: [
      { file: `${etc}/remote.conf`, shipped: `${share}/remote.conf` },
      { file: `${etc}/policy.d/${policy}`, shipped: `${share}/policies/${policy}` },
    ],
    ownFolders: [
      `${share}/policies`,
      share,
      `${root}/usr/lib/qubes-claw`,
      `${etc}/remote.d`,
      `${etc}/remote-policy.d`,
    ],
    kept: [
      `${etc}/remote.d`,
      `${etc}/remote-policy.d`,
      `${etc}/remote.lockdown`,
      `${root}/var/lib/qvm-remote`,
      `${root}/var/log/qubes/qvm-remote.log`,
      `${root}/var/log/qubes/qvm-remote.audit.jsonl`,
    ],
    setupRecord: `${root}/var/lib/openclaw/setup.json`,
  };
}
