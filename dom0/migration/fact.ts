// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a migration changes, as data: a place that has one value before and another one after. The
 * record of these leads back.
 *
 * @module
 */

import type { StepOf, UndoOf } from "../../shared/setup/engine.ts";
import { type Entry as EntryOf, recordFile, type Value } from "../../shared/setup/record.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

export type Fact =
  /** Whether it runs. */
  | { readonly kind: "active"; readonly unit: string }
  /** Whether it starts with the machine. */
  | { readonly kind: "enabled"; readonly unit: string }
  /** Whether the file has another name, under which nobody reads it. */
  | { readonly kind: "aside"; readonly path: string }
  /** Who may look into a file: the permissions in octal digits. */
  | { readonly kind: "mode"; readonly path: string }
  /** What rules there are for a VM that has a key. */
  | { readonly kind: "grant"; readonly vm: VmName };

export type Step = StepOf<Fact>;
export type Entry = EntryOf<Fact>;
export type Undo = UndoOf<Fact>;

/** The value of facts that only are, or are not. */
export const YES = "yes";

const FIELDS = {
  active: "unit",
  enabled: "unit",
  aside: "path",
  mode: "path",
  grant: "vm",
} as const;

export const record = recordFile<Fact>({
  program: "qvm-remote-dom0 migrate",
  keyOf,
  check(fact) {
    const field = Object.entries(FIELDS).find(([kind]) => kind === fact.kind)?.[1];
    if (field === undefined || typeof fact[field] !== "string") throw new Error("an unknown fact");
  },
});

export function keyOf(fact: Fact): string {
  switch (fact.kind) {
    case "aside":
    case "mode":
      return `${fact.kind} ${fact.path}`;
    case "grant":
      return `grant ${fact.vm}`;
    default:
      return `${fact.kind} ${fact.unit}`;
  }
}

/** What it means to give the place that value. */
export function describe(fact: Fact, value: Value): string {
  switch (fact.kind) {
    case "active":
      return `${value === null ? "stop" : "start"} ${fact.unit}`;
    case "enabled":
      return `${value === null ? "disable" : "enable"} ${fact.unit}`;
    case "aside":
      return `put ${fact.path} ${value === null ? "back" : "aside"}`;
    case "mode":
      return `chmod ${value} ${fact.path}`;
    case "grant":
      return value === null
        ? `take away the rules of ${fact.vm}; its key stays`
        : `take over the key of ${fact.vm}: ${fact.vm} reads, all else waits for an answer in dom0`;
  }
}

/** Whether systemd has to read its files again. */
export function isUnitFile(fact: Fact): boolean {
  return fact.kind === "aside" && fact.path.includes("/systemd/system/");
}
