// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Where the Python original, qvm-remote 1.x, lies in dom0: its Makefile ("install-dom0", "install-web",
 * "install-gui-dom0", "install-admin-dom0"), its rpm specs and its units say so. Programs, units and
 * configuration of this project have some of the same names, so a file counts as the original's by what
 * it says, too.
 *
 * @module
 */

export interface OriginalUnit {
  readonly unit: string;
  readonly file: string;
  /** Without it the unit would run another program, or none. */
  readonly program: string;
  /** Why it has to stop. */
  readonly why: string;
  /** What is stopped with it: it does not run by itself, and is not started again. */
  readonly helper?: string;
  /** This project has a unit of that name, too: systemd would read the file in its place. */
  readonly hides: boolean;
}

/** A file of a desktop; it is the original's if it has that line. */
export interface OriginalEntry {
  readonly path: string;
  readonly exec: string;
}

export interface Original {
  /** In the order in which they are stopped: the first would start the others again. */
  readonly units: readonly OriginalUnit[];
  readonly entries: readonly OriginalEntry[];
  /** Names of this project, too. */
  readonly sharedPrograms: readonly string[];
  readonly otherPrograms: readonly string[];
  /** What the web admin may do; never read by the daemon. */
  readonly webPolicy: string;
  readonly webElevated: string;
  readonly webOpenclaw: string;
}

/** @param root QUBES_CLAW_ROOT */
export function originalPlaces(root: string): Original {
  const daemon = `${root}/usr/bin/qvm-remote-dom0`;
  const web = `${root}/usr/bin/qubes-global-admin-web`;
  const menu = `${root}/usr/share/applications`;
  return {
    units: originalUnits(`${root}/etc/systemd/system`, daemon, web),
    entries: [
      {
        path: `${root}/etc/xdg/autostart/qubes-admin-autostart.desktop`,
        exec: "Exec=/usr/local/bin/qubes-admin-autostart.sh",
      },
      {
        path: `${menu}/qubes-global-admin-web.desktop`,
        exec: "Exec=sh -c 'systemctl start qubes-global-admin-web",
      },
      { path: `${menu}/qubes-global-admin.desktop`, exec: "Exec=/usr/bin/qubes-global-admin\n" },
      {
        path: `${menu}/qubes-global-admin-dom0.desktop`,
        exec: "Exec=/usr/bin/qubes-global-admin-",
      },
      {
        path: `${menu}/qvm-remote-dom0-gui.desktop`,
        exec: "Exec=pkexec /usr/bin/qvm-remote-dom0-gui",
      },
    ],
    sharedPrograms: [daemon, web],
    otherPrograms: [
      `${root}/usr/bin/qvm-remote-dom0-gui`,
      `${root}/usr/bin/qubes-global-admin`,
      `${root}/usr/bin/qubes-global-admin-dom0`,
      `${root}/usr/lib/qvm-remote`,
      `${root}/usr/local/bin/qubes-admin-autostart.sh`,
      `${root}/usr/local/bin/qubes-admin-genmon.sh`,
      `${root}/etc/systemd/system/${WATCHDOG}`,
    ],
    webPolicy: `${root}/etc/qubes/remote-admin-policy.json`,
    webElevated: `${root}/run/qvm-remote/dev-mode.json`,
    webOpenclaw: `${root}/etc/qubes/openclaw.json`,
  };
}

const WATCHDOG = "qubes-admin-watchdog.service";

function originalUnits(folder: string, daemon: string, web: string): readonly OriginalUnit[] {
  const unit = (name: string) => ({ unit: name, file: `${folder}/${name}` });
  return [
    {
      ...unit("qubes-admin-watchdog.timer"),
      program: daemon,
      why: "it would start the daemon and the web admin again within a minute",
      helper: WATCHDOG,
      hides: false,
    },
    {
      ...unit("qubes-global-admin-web.service"),
      program: web,
      why: "it gives root to whatever can reach its port",
      hides: true,
    },
    {
      ...unit("qvm-remote-dom0.service"),
      program: daemon,
      why: "two daemons must not read the same queues",
      hides: true,
    },
  ];
}

/** Its units are "simple" or "oneshot"; those of this project notify systemd. */
export function isOriginalUnit(text: string): boolean {
  return /^ExecStart=/m.test(text) && !/^Type=notify$/m.test(text);
}

/** Its programs are scripts of Python. */
export function isOriginalProgram(firstBytes: string): boolean {
  return /^#!.*\bpython/.test(firstBytes);
}

/**
 * Where a file is kept that would act in the place of this project's, or beside it: neither systemd nor
 * a desktop reads a file of that name.
 */
export const savedPath = (path: string): string => `${path}.before-migration`;
