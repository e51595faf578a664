// SPDX-License-Identifier: GPL-2.0-or-later
/** What openclaw-ctl doctor finds: each finding has a stable name, a text, and what to do. @module */

import type { Scene } from "../scene.ts";
import type { Snapshot } from "../snapshot.ts";

/** Every name that a finding may have; the manual explains each. */
export const FINDING_IDS = [
  "settings",
  "openclaw-missing",
  "openclaw-old",
  "node-old",
  "config-rejected",
  "config-missing",
  "config-risky",
  "mode",
  "owner",
  "token-missing",
  "token-refused",
  "proxy-config",
  "key-missing",
  "key-refused",
  "memory-low",
  "systemd",
  "unit-missing",
  "unit-failed",
  "unit-stopped",
  "unit-disabled",
  "flag-missing",
  "port-taken",
  "no-answer",
  "tunnel-down",
  "provider-out",
  "not-ready",
] as const;
export type FindingId = typeof FINDING_IDS[number];

export interface Finding {
  readonly id: FindingId;
  /** Only an error makes the exit code 1. */
  readonly level: "error" | "warning";
  readonly text: string;
  readonly fix: string;
}

export interface DoctorScene extends Scene {
  readonly snapshot: Snapshot;
  /** Of this VM, in bytes. */
  readonly memoryBytes: () => number;
  readonly uid: number | null;
}

export type Examine = (scene: DoctorScene) => Promise<readonly Finding[]>;

export function error(id: FindingId, text: string, fix: string): Finding {
  return { id, level: "error", text, fix };
}

export function warning(id: FindingId, text: string, fix: string): Finding {
  return { id, level: "warning", text, fix };
}
