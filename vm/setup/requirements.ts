// SPDX-License-Identifier: GPL-2.0-or-later
/** What a VM must have before anything is changed in it. Pure: figures in, complaints out. @module */

import type { VmKind } from "../ports/vm_kind.ts";
import type { Distribution } from "./distribution.ts";

/** Something that stands in the way, and what to do about it. */
export interface Problem {
  readonly what: "memory" | "disk" | "npm" | "network" | "agent tools";
  readonly text: string;
  readonly hints: readonly string[];
}

const MIB_KIB = 1024;
/** The gateway's unit is cut off at 3 GiB; with 2 GiB it lived, with 1.5 it did not. */
const WANTED_MIB = 4000;
/** A VM of 4000 MiB sees somewhat less: its kernel takes a part before it counts. */
const LEAST_SEEN_KIB = 3500 * MIB_KIB;
/** OpenClaw and its packages are 0.85 GB, Node 0.2 GB, npm's own cache 0.3 GB. */
const LEAST_FREE_BYTES = 2e9;

/**
 * @param totalKib MemTotal: what the VM has at this moment
 * @param maximumKib what memory balancing may give it; undefined where it cannot be asked
 */
export function memoryProblem(
  totalKib: number,
  maximumKib: number | undefined,
): Problem | undefined {
  if (totalKib >= LEAST_SEEN_KIB || (maximumKib ?? 0) >= WANTED_MIB * MIB_KIB) return undefined;
  const mib = Math.floor(Math.max(totalKib, maximumKib ?? 0) / MIB_KIB);
  return {
    what: "memory",
    text: `this VM has ${mib} MiB of memory, and an agent needs ${WANTED_MIB}`,
    hints: [
      `in dom0: qvm-prefs VM maxmem ${WANTED_MIB}, then restart this VM`,
      "with less, OpenClaw is ended in the middle of its work; --anyway goes on all the same",
    ],
  };
}

export function diskProblem(freeBytes: number, path: string): Problem | undefined {
  if (freeBytes >= LEAST_FREE_BYTES) return undefined;
  const gb = (bytes: number): string => (bytes / 1e9).toFixed(1);
  const volume = path.startsWith("/home") || path.includes("/.local/") ? "private" : "root";
  return {
    what: "disk",
    text: `${path} has ${gb(freeBytes)} GB left, and the packages need ${gb(LEAST_FREE_BYTES)}`,
    hints: [
      `make room, or in dom0: qvm-volume resize VM:${volume} SIZE`,
      "--anyway goes on all the same",
    ],
  };
}

/** What openclaw 2026.9.6 says of itself: ">=24.16.0 <25 || >=26.1.0". */
export function isNodeGoodEnough(versionText: string): boolean {
  const [, major, minor] = /^v(\d{1,3})\.(\d{1,3})\.\d+\s*$/.exec(versionText) ?? [];
  if (major === undefined || minor === undefined) return false;
  const [whole, part] = [Number(major), Number(minor)];
  return (whole === 24 && part >= 16) || (whole === 26 && part >= 1) || whole > 26;
}

export function npmProblem(kind: VmKind, { install, npm }: Distribution): Problem {
  const command = [...install, ...npm].join(" ");
  return {
    what: "npm",
    text: "there is no npm here, which fetches OpenClaw and checks it",
    hints: [
      kind === "app"
        ? `in the template of this VM: sudo ${command}; then shut it down, and restart this VM`
        : `sudo ${command}`,
    ],
  };
}

export function networkProblem(kind: VmKind, hasNetvm: boolean): Problem {
  const inTemplate = "or install in the template: there setup-vm asks Qubes' updates proxy";
  return {
    what: "network",
    text: hasNetvm || kind === "template"
      ? "the npm registry does not answer"
      : "this VM has no netvm, and OpenClaw has to be fetched once",
    hints: kind === "template"
      ? ['see whether "npm ping" works; npm config says which registry is asked']
      : hasNetvm
      ? ['see whether "npm ping" works, and the firewall of this VM in dom0', inTemplate]
      : [
        kind === "app"
          ? "install in the template (setup-vm there, too); then run this again: it finds it"
          : "give it one for this once, in dom0: qvm-prefs VM netvm sys-firewall",
      ],
  };
}
