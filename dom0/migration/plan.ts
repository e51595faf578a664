// SPDX-License-Identifier: GPL-2.0-or-later
/** What a migration would do with what there is, and what it leaves. Pure. @module */

import { GROUP_OR_OTHER } from "../../shared/io/private_modes.ts";
import type { Remark } from "../../shared/setup/remarks.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Fact, Step } from "./fact.ts";
import { YES } from "./fact.ts";
import type { Found, FoundKey, FoundUnit } from "./found.ts";
import { savedPath } from "./original.ts";

/** Something that is not taken, or that stands in the way, and what a person does about it. */
export interface Plan {
  readonly steps: readonly Step[];
  /** Each stops it before it begins. */
  readonly obstacles: readonly Remark[];
  readonly notTaken: readonly Remark[];
  readonly stays: readonly Remark[];
  /** The VMs that are served when it is done. */
  readonly vms: readonly VmName[];
}

export function planMigration(found: Found): Plan {
  return {
    steps: [
      ...found.units.flatMap(unitSteps),
      ...found.units.filter(isInTheWay).map(({ file, unit }) =>
        asideStep(file, `systemd reads it in the place of this project's ${unit}`)
      ),
      ...found.entries.map((path) => asideStep(path, "it starts programs of the original")),
      ...logSteps(found),
      ...found.keys.filter(isTaken).map(({ vm, fingerprint }) => grantStep(vm, fingerprint)),
    ],
    obstacles: obstacles(found),
    notTaken: [...keysNotTaken(found), ...unitsNotTaken(found), ...webNotTaken(found)],
    stays: staying(found),
    vms: found.keys.filter((key) => isTaken(key) || key.hasRules && key.isListed)
      .map(({ vm }) => vm),
  };
}

export function isInTheWay({ owner, hides }: FoundUnit): boolean {
  return owner === "original" && hides;
}

function unitSteps(
  { unit, owner, isActive, isEnabled, why, helper }: FoundUnit,
): readonly Step[] {
  if (owner !== "original") return [];
  const off = (fact: Fact, ...words: readonly string[]): Step => ({
    fact,
    from: YES,
    to: null,
    why,
    commands: [{ argv: ["systemctl", ...words] }],
  });
  const helpers = helper === undefined ? [] : [helper];
  const steps: Step[] = [];
  if (isActive) steps.push(off({ kind: "active", unit }, "stop", unit, ...helpers));
  if (isEnabled) steps.push(off({ kind: "enabled", unit }, "disable", unit));
  return steps;
}

function asideStep(path: string, why: string): Step {
  return {
    fact: { kind: "aside", path },
    from: null,
    to: YES,
    why,
    commands: [{ argv: ["mv", "--no-clobber", "--", path, savedPath(path)] }],
  };
}

function logSteps({ log }: Found): readonly Step[] {
  if (log === null || (log.mode & GROUP_OR_OTHER) === 0) return [];
  return [{
    fact: { kind: "mode", path: log.path },
    from: log.mode.toString(8),
    to: "600",
    why: "every user of dom0 could read which commands run",
    commands: [{ argv: ["chmod", "600", "--", log.path] }],
  }];
}

function grantStep(vm: VmName, fingerprint: string | null): Step {
  return {
    fact: { kind: "grant", vm },
    from: null,
    to: "ask",
    why: `the original gave it root; fingerprint ${fingerprint}`,
    commands: [],
  };
}

function isTaken({ isListed, fault, isVm, hasRules }: FoundKey): boolean {
  return isListed && fault === null && isVm && !hasRules;
}

function obstacles(found: Found): readonly Remark[] {
  const { config, policyFault, pythonPrograms, byHand, underWay, inTheWay } = found;
  return [
    ...config.problems.map(({ line, text }) => ({
      what: `${config.path}:${line}: ${text}`,
      why: 'correct the line, or put a "#" in front of it: a file with a bad line is not used',
    })),
    ...policyFault === null ? [] : [{
      what: `policy: ${policyFault}`,
      why: 'correct it; "qvm-remote-dom0 policy check" says what is wrong',
    }],
    ...pythonPrograms.filter((path) => path.endsWith("/qvm-remote-dom0")).map((path) => ({
      what: `${path} is still the original's program`,
      why: "install this qvm-remote-dom0 first; until then the original would be started",
    })),
    ...byHand.map((pid) => ({
      what: `the original's daemon runs as process ${pid}, which systemd did not start`,
      why: `end it where it was started, or run "kill ${pid}"`,
    })),
    ...underWay.map((id) => ({
      what: `the original runs a command now: ${printable(id)}`,
      why: 'wait for its end; "systemctl stop qvm-remote-dom0" ends it without an answer',
    })),
    ...inTheWay.map((path) => ({
      what: `${path} is in the way`,
      why: "move it to another place: it would be overwritten",
    })),
  ];
}

function keysNotTaken({ keys, config, keyFolder, entriesOfRecord }: Found): readonly Remark[] {
  const isOfRecord = (vm: VmName): boolean =>
    entriesOfRecord.some(({ fact }) => fact.kind === "grant" && fact.vm === vm);
  const remarks: Remark[] = keys.filter(({ vm }) => !isOfRecord(vm)).flatMap((key) => {
    const why = whyNotTaken(key, config.path);
    return why === null ? [] : [{ what: `${keyFolder}/${key.vm}.key`, why }];
  });
  const withKey = new Set(keys.map(({ vm }) => vm));
  for (const vm of config.vms.filter((vm) => !withKey.has(vm))) {
    remarks.push({
      what: `${vm}, which ${config.path} lists`,
      why: withKey.size === 0
        ? "it has no key. The original runs anything for such a VM where no VM has a key; here " +
          `nothing runs without one: "qvm-remote-dom0 authorize --fetch ${vm}"`
        : `it has no key: "qvm-remote-dom0 authorize --fetch ${vm}"`,
    });
  }
  return remarks;
}

function whyNotTaken(
  { vm, fault, isListed, isVm, hasRules }: FoundKey,
  config: string,
): string | null {
  if (fault !== null) {
    return `${fault}. Give ${vm} a new key: "qvm-remote key gen --force" there, then ` +
      `"qvm-remote-dom0 authorize --fetch ${vm}"`;
  }
  if (!isListed) return `${config} does not list ${vm}, so the original did not serve it either`;
  if (!isVm) return `there is no qube of that name; "qvm-remote-dom0 revoke ${vm}" removes the key`;
  if (hasRules) return `${vm} has rules here already; they stay as they are`;
  return null;
}

function unitsNotTaken({ units }: Found): readonly Remark[] {
  return units.flatMap(({ unit, owner, dropIns }) => [
    ...owner === "mask"
      ? [{
        what: unit,
        why: `it is masked, this project's of that name, too; "systemctl unmask ${unit}" ends that`,
      }]
      : [],
    ...dropIns === null ? [] : [{
      what: dropIns,
      why: `what it sets now holds for this project's ${unit}: look whether you still want it`,
    }],
  ]);
}

function webNotTaken({ webPolicy, otherFiles }: Found): readonly Remark[] {
  const why =
    "The levels bounded the web admin alone, never a VM. Here the policy bounds each VM, " +
    "and the web admin acts for the person who opened it";
  return [
    ...webPolicy === null ? [] : [{
      what: webPolicy.path,
      why: `${webPolicy.levels ?? "it is no policy of the original"}. ${why}`,
    }],
    ...webPolicy?.isElevated
      ? [{
        what: "the web admin's elevated mode",
        why:
          "it gives dom0 and every VM the level full, past the end of its time. There is none here",
      }]
      : [],
    ...otherFiles.map((path) => ({
      what: path,
      why: "the web admin's settings of OpenClaw; setup-dom0 has its own",
    })),
  ];
}

function staying(found: Found): readonly Remark[] {
  const { config, log, keys, otherPrograms, pythonPrograms, ownRuns, units } = found;
  const programs = [
    ...pythonPrograms.filter((path) => !path.endsWith("/qvm-remote-dom0")),
    ...otherPrograms,
  ];
  const isBoth = ownRuns && units.some(({ owner, isActive }) => owner === "original" && isActive);
  return [
    ...isBoth
      ? [{
        what: "this project's daemon",
        why: "it runs beside the original: a request may go to either until that is stopped",
      }]
      : [],
    ...config.isThere ? [{ what: config.path, why: "it is read as it is" }] : [],
    ...keys.length === 0 ? [] : [{
      what: "each key",
      why: "it stays where it is, so the VM goes on with its own",
    }],
    ...log === null ? [] : [{
      what: log.path,
      why: "the original's lines stay in it, and this daemon goes on in the same file",
    }],
    ...programs.length === 0 ? [] : [{
      what: programs.join("\n  "),
      why: "remove them with the package or the Makefile they came from",
    }],
  ];
}
