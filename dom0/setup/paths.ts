// SPDX-License-Identifier: GPL-2.0-or-later
/** Where setup-dom0 reads and writes in dom0. @module */

export interface SetupPaths {
  /** Which VM the tunnels lead to. */
  readonly conf: string;
  readonly policyFolder: string;
  /** Where the package puts the policy files that may be installed. */
  readonly policySource: string;
  readonly stateFolder: string;
  /** What was changed, and what it was before. */
  readonly record: string;
  /** Held while setup changes anything; gone after a reboot. */
  readonly lock: string;
}

/** @param root put in front of every path: QUBES_CLAW_ROOT, for tests and demos */
export function setupPaths(root: string): SetupPaths {
  const stateFolder = `${root}/var/lib/openclaw`;
  return {
    conf: `${root}/etc/qubes/openclaw.conf`,
    policyFolder: `${root}/etc/qubes/policy.d`,
    policySource: `${root}/usr/share/qubes-claw/policies`,
    stateFolder,
    record: `${stateFolder}/setup.json`,
    lock: `${root}/run/openclaw-setup.lock`,
  };
}
