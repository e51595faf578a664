// SPDX-License-Identifier: GPL-2.0-or-later
/** Puts an edit on the session's list of staged changes, checked as the table would. @module */

import { parseValue } from "../../operations/operation.ts";
import { ParameterError } from "../../operations/parameter.ts";
import { OPERATIONS } from "../../operations/table.ts";
import type { Session } from "../server/sessions.ts";
import { withChange } from "./firewall_rule.ts";
import { type StagedChange, stagedKey } from "./staged_change.ts";

export interface Edit {
  /** null: the system's own properties. */
  readonly vm: string | null;
  readonly operation: string;
  /** The property, tag, service or feature. */
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** An edit, with the qube in the words of an operation. */
type Named = Edit & { readonly vm: string };

/** The word for what a reset leaves. */
const DEFAULT = "the default";

/** How each kind of edit is written as an operation, and shown. */
const KINDS: ReadonlyMap<string, (edit: Named) => Omit<StagedChange, "operation" | "qube">> =
  new Map<string, (edit: Named) => Omit<StagedChange, "operation" | "qube">>([
    ["vm.prefs.set", ({ vm, name, before, after }) => ({
      values: { vm, property: name, value: after },
      setting: name,
      before,
      after,
    })],
    ["vm.prefs.reset", ({ vm, name, before }) => ({
      values: { vm, property: name },
      setting: name,
      before,
      after: DEFAULT,
    })],
    ["system.prefs.set", ({ name, before, after }) => ({
      values: { property: name, value: after },
      setting: name,
      before,
      after,
    })],
    ["system.prefs.reset", ({ name, before }) => ({
      values: { property: name },
      setting: name,
      before,
      after: DEFAULT,
    })],
    ["vm.features.reset", ({ vm, name, before }) => ({
      values: { vm, feature: name },
      setting: `feature ${name}`,
      before,
      after: "removed",
    })],
    ["vm.services.reset", ({ vm, name, before }) => ({
      values: { vm, service: name },
      setting: `service ${name}`,
      before,
      after: DEFAULT,
    })],
    ["vm.features.set", ({ vm, name, before, after }) => ({
      values: { vm, feature: name, value: after },
      setting: `feature ${name}`,
      before,
      after,
    })],
    ["vm.tags.add", ({ vm, name }) => ({
      values: { vm, tag: name },
      setting: `tag ${name}`,
      before: "absent",
      after: "present",
    })],
    ["vm.tags.remove", ({ vm, name }) => ({
      values: { vm, tag: name },
      setting: `tag ${name}`,
      before: "present",
      after: "absent",
    })],
    ["vm.services.enable", ({ vm, name }) => ({
      values: { vm, service: name },
      setting: `service ${name}`,
      before: "off",
      after: "on",
    })],
    ["vm.services.disable", ({ vm, name }) => ({
      values: { vm, service: name },
      setting: `service ${name}`,
      before: "on",
      after: "off",
    })],
  ]);

/** @returns what is wrong with it, for a person; null if it is on the list */
export function stage(session: Session, edit: Edit): string | null {
  const kind = KINDS.get(edit.operation);
  const isOfQube = edit.operation.startsWith("vm.");
  if (kind === undefined || isOfQube !== (edit.vm !== null)) return "This cannot be edited here.";
  const change = kind({ ...edit, vm: edit.vm ?? "" });
  return putOnList(session, { ...change, operation: edit.operation, qube: edit.vm });
}

/** @returns what is wrong with it, for a person; null if it is on the list */
export function putOnList(session: Session, change: StagedChange): string | null {
  const operation = OPERATIONS.get(change.operation);
  if (operation === undefined) throw new Error(`bug: no operation ${change.operation}`);
  for (const [name, value] of Object.entries(change.values)) {
    try {
      parseValue(operation, name, value);
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      return `Not staged: ${error.message}.`;
    }
  }
  const others = session.staged.filter((one) => stagedKey(one) !== stagedKey(change));
  session.staged = change.before === change.after ? others : withChange(others, change);
  return null;
}
