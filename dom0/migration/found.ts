// SPDX-License-Identifier: GPL-2.0-or-later
/** What there is of the original, as data: a survey finds it, a plan is made of it. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { LineProblem } from "../../shared/io/key_value.ts";
import type { Entry } from "./fact.ts";
import type { OriginalUnit } from "./original.ts";

/** Whose the file in /etc/systemd/system is: a mask is a person's, and stops this project's unit, too. */
export type UnitOwner = "original" | "mask" | "other" | "nobody";

export interface FoundUnit extends OriginalUnit {
  readonly owner: UnitOwner;
  readonly isActive: boolean;
  readonly isEnabled: boolean;
  /** A folder beside it, whose settings hold for this project's unit of that name, too. */
  readonly dropIns: string | null;
}

export interface FoundKey {
  readonly vm: VmName;
  readonly isListed: boolean;
  /** Of a key that can be used. */
  readonly fingerprint: string | null;
  /** Why it cannot. */
  readonly fault: string | null;
  /** Whether dom0 has a qube of that name. */
  readonly isVm: boolean;
  /** Whether there are rules for it already. */
  readonly hasRules: boolean;
}

/** The levels of the original's web admin. */
export interface FoundWebPolicy {
  readonly path: string;
  /** Null: it cannot be read. */
  readonly levels: string | null;
  readonly isElevated: boolean;
}

export interface Found {
  readonly units: readonly FoundUnit[];
  /** Of desktops. */
  readonly entries: readonly string[];
  /** Where a file is to be kept, and something is there already. */
  readonly inTheWay: readonly string[];
  readonly config: {
    readonly path: string;
    readonly isThere: boolean;
    readonly vms: readonly VmName[];
    readonly problems: readonly LineProblem[];
  };
  readonly keyFolder: string;
  readonly keys: readonly FoundKey[];
  /** What is wrong with the rules that there are. */
  readonly policyFault: string | null;
  /** Programs whose names this project has, too, and that are still the original's. */
  readonly pythonPrograms: readonly string[];
  readonly otherPrograms: readonly string[];
  /** Processes of its daemon that systemd did not start. */
  readonly byHand: readonly number[];
  /** Whether the daemon of this project runs. */
  readonly ownRuns: boolean;
  /** Commands that its daemon runs now. */
  readonly underWay: readonly string[];
  readonly webPolicy: FoundWebPolicy | null;
  readonly otherFiles: readonly string[];
  /** Its log, in the place where this project has its own. */
  readonly log: { readonly path: string; readonly mode: number } | null;
  /** What an earlier migration changed. */
  readonly entriesOfRecord: readonly Entry[];
}
