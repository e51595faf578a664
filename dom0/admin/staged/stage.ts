// SPDX-License-Identifier: GPL-2.0-or-later
/** Puts an edit of a qube on the session's list of staged changes, checked as the table would. @module */

import { parseValue } from "../../operations/operation.ts";
import { ParameterError } from "../../operations/parameter.ts";
import { OPERATIONS } from "../../operations/table.ts";
import type { Session } from "../server/sessions.ts";
import { type StagedChange, stagedKey } from "./staged_change.ts";

export interface Edit {
  readonly vm: string;
  readonly operation: string;
  /** The property, tag, service or feature. */
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** How each kind of edit is written as an operation, and shown. */
const KINDS: ReadonlyMap<string, (edit: Edit) => Omit<StagedChange, "operation" | "qube">> =
  new Map<string, (edit: Edit) => Omit<StagedChange, "operation" | "qube">>([
    ["vm.prefs.set", ({ vm, name, before, after }) => ({
      values: { vm, property: name, value: after },
      setting: name,
      before,
      after,
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
  const operation = OPERATIONS.get(edit.operation);
  if (kind === undefined || operation === undefined) return "This cannot be edited here.";
  const change: StagedChange = { ...kind(edit), operation: edit.operation, qube: edit.vm };
  for (const [name, value] of Object.entries(change.values)) {
    try {
      parseValue(operation, name, value);
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      return `Not staged: ${error.message}.`;
    }
  }
  const others = session.staged.filter((one) => stagedKey(one) !== stagedKey(change));
  session.staged = change.before === change.after ? others : [...others, change];
  return null;
}
