// SPDX-License-Identifier: GPL-2.0-or-later
/** Where setup-vm reads and writes. @module */

import type { VmKind } from "../ports/vm_kind.ts";
import { vmSettingsPath } from "../settings/vm_settings.ts";
import type { SetupRequest } from "./request.ts";

export interface Places {
  /** In front of every path that is not in the home: QUBES_CLAW_ROOT. */
  readonly root: string;
  readonly home: string;
  readonly user: string;
  /** ~/.openclaw */
  readonly state: string;
  readonly settings: string;
  /** What was changed, and what it was before. */
  readonly record: string;
  readonly lock: string;
  /** Templates and package lists, as installed. */
  readonly share: string;
  /** OpenClaw and its Node for all VMs of a template, or for this one. */
  readonly systemLib: string;
  readonly homeLib: string;
}

export function placesOf(root: string, home: string, user: string): Places {
  const own = `${home}/.local/state/qubes-claw`;
  return {
    root,
    home,
    user,
    state: `${home}/.openclaw`,
    settings: vmSettingsPath(home),
    record: `${own}/setup-vm.json`,
    lock: `${own}/setup-vm.lock`,
    share: `${root}/usr/share/qubes-claw/openclaw`,
    systemLib: `${root}/usr/lib/qubes-claw/openclaw`,
    homeLib: `${home}/.local/lib/qubes-claw/openclaw`,
  };
}

export interface Destination {
  readonly prefix: string;
  /** Whether root has to write it. */
  readonly root: boolean;
}

/**
 * An AppVM forgets /usr at its shutdown. With units of the user's, too, all is in the home: it can
 * be set up, and looked at, without root.
 */
export function destination(places: Places, kind: VmKind, { units }: SetupRequest): Destination {
  return kind === "app" || (units === "user" && kind !== "template")
    ? { prefix: places.homeLib, root: false }
    : { prefix: places.systemLib, root: true };
}
