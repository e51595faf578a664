// SPDX-License-Identifier: GPL-2.0-or-later
/** What there is of the original in a VM, and what a migration does with it. Pure. @module */

import { GROUP_OR_OTHER } from "../../../shared/io/private_modes.ts";
import type { Remark } from "../../../shared/setup/remarks.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { type Entry, NEW_NAME, OLD_NAME, type Step } from "./fact.ts";

export interface FoundMode {
  /** Below the folder; "" is the folder itself. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly mode: number;
}

/** A request of the original's client that has no answer yet. */
export interface UnderWay {
  readonly untrustedName: string;
  readonly place: "pending" | "running";
  readonly ageSeconds: number;
}

export interface Found {
  /** Which of the two names of the folder there are. */
  readonly folders: readonly (typeof OLD_NAME | typeof NEW_NAME)[];
  readonly modes: readonly FoundMode[];
  readonly key: { readonly fingerprint: string } | { readonly fault: string } | null;
  readonly underWay: readonly UnderWay[];
  /** Answers that no client has fetched. */
  readonly answers: number;
  /** Days of history. */
  readonly days: number;
  /** Whether dom0 is connected to this VM's queue. */
  readonly isServed: boolean;
  /** Whether the service is there through which dom0 reads the queue. */
  readonly hasService: boolean;
  /** Programs, units and qrexec services of the originals, which stay. */
  readonly others: readonly string[];
  readonly entries: readonly Entry[];
}

export interface Plan {
  readonly steps: readonly Step[];
  readonly notTaken: readonly Remark[];
  readonly stays: readonly Remark[];
}

export function planMigration(found: Found): Plan {
  return { steps: steps(found), notTaken: notTaken(found), stays: stays(found) };
}

function steps({ folders, modes }: Found): readonly Step[] {
  const isOld = folders.includes(OLD_NAME) && !folders.includes(NEW_NAME);
  return [
    ...isOld
      ? [{
        fact: { kind: "folder" } as const,
        from: OLD_NAME,
        to: NEW_NAME,
        why: "this client looks there",
      }]
      : [],
    // The key is not among them: one that others could read may have leaked.
    ...modes.filter(({ mode }) => (mode & GROUP_OR_OTHER) !== 0).map((
      { path, isFolder, mode },
    ): Step => ({
      fact: { kind: "mode", path },
      from: mode.toString(8),
      to: isFolder ? "700" : "600",
      why: "other users of this VM could look into it",
    })),
  ];
}

function notTaken({ folders, key, underWay, hasService }: Found): readonly Remark[] {
  const remarks: Remark[] = [];
  if (key === null) {
    remarks.push({ what: "there is no key", why: 'make one: "qvm-remote key gen"' });
  } else if ("fault" in key) {
    remarks.push({
      what: key.fault,
      why: 'make a new one with "qvm-remote key gen --force", then authorise this VM again in dom0',
    });
  }
  if (folders.length === 2) {
    remarks.push({
      what: `~/${OLD_NAME}`,
      why: `there is a ~/${NEW_NAME} too, which is the one in use; the original did the same`,
    });
  }
  if (!hasService) {
    remarks.push({
      what: "the qrexec service qvmremote.Queue is not installed",
      why:
        "dom0 reads the queue through it: install this client in the VM's template, or in the VM",
    });
  }
  for (const { untrustedName, place, ageSeconds } of underWay) {
    remarks.push({
      what: `${place}: ${printable(untrustedName, 120)}, ${ageSeconds} s old`,
      why: place === "running"
        ? "the original's daemon has taken it; if that was stopped, nobody knows how it ended. " +
          '"qvm-remote queue clean" clears it away'
        : "nobody has taken it. Let the original's daemon answer it before it is stopped, or send " +
          'the command again and clear this away with "qvm-remote queue clean"',
    });
  }
  return remarks;
}

function stays({ answers, days, others, isServed }: Found): readonly Remark[] {
  return [
    ...days === 0 ? [] : [{
      what: `the history (days: ${days}) and the audit log`,
      why: '"qvm-remote history" and "qvm-remote log" read them; days go after 30',
    }],
    ...answers === 0 ? [] : [{
      what: `answers that no client has fetched: ${answers}`,
      why: "they go into the history when dom0 connects and they are an hour old",
    }],
    ...isServed ? [{ what: "dom0 is connected to this VM", why: "it stays so" }] : [],
    ...others.length === 0 ? [] : [{
      what: others.join("\n  "),
      why:
        "programs of the original, which go on calling qvm-remote; remove them with the package " +
        "or the Makefile they came from. Services and units of agents: setup-vm and openclaw-ports",
    }],
  ];
}
