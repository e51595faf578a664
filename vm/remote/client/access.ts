// SPDX-License-Identifier: GPL-2.0-or-later
/** What this VM may do, as dom0's daemon says it, whatever the policy says. @module */

import { utf8 } from "../../../shared/protocol/bytes.ts";
import { NO_FLAGS } from "../../../shared/protocol/flags.ts";
import type { Layout } from "../files/layout.ts";
import { askDom0 } from "./ask_dom0.ts";

export type Decision = "allow" | "ask" | "deny";

export interface KnownOperation {
  readonly name: string;
  readonly level: string;
  readonly summary: string;
  readonly decision: Decision;
  readonly destructive: boolean;
  /** How long dom0 expects it to take at most; an older one does not say. */
  readonly timeoutSeconds?: number;
  readonly parameters: {
    readonly properties: Readonly<Record<string, unknown>>;
    readonly required: readonly string[];
  };
}

/** A command line for dom0's own shell: none of the table, and decided of as one. */
export const SHELL = "shell";

export type Access = ReadonlyMap<string, KnownOperation>;

export function isOpen(access: Access, name: string): boolean {
  const decision = access.get(name)?.decision;
  return decision === "allow" || decision === "ask";
}

/** @throws {NoAnswerError|UserError} */
export async function readAccess(layout: Layout, waitMs: number): Promise<Access> {
  const about = { why: null, waitMs };
  const [listed, shell] = await Promise.all([
    askDom0(layout, { ...about, command: { mode: "op", name: "ops", pairs: [] }, flags: NO_FLAGS }),
    askDom0(layout, {
      ...about,
      command: { mode: "script", script: utf8(":; true\n") },
      flags: new Set(["explain"] as const),
    }),
  ]);
  const known = Array.isArray(listed) ? listed.filter(isOperation) : [];
  return new Map([...known, shellOperation(shell)].map((operation) => [operation.name, operation]));
}

function isOperation(value: unknown): value is KnownOperation {
  if (typeof value !== "object" || value === null) return false;
  const { name, summary, decision, parameters } = value as Readonly<Record<string, unknown>>;
  return typeof name === "string" && typeof summary === "string" && isDecision(decision) &&
    typeof parameters === "object" && parameters !== null;
}

function isDecision(value: unknown): value is Decision {
  return value === "allow" || value === "ask" || value === "deny";
}

function shellOperation(explained: unknown): KnownOperation {
  const { decision = null } = (explained ?? {}) as Readonly<Record<string, unknown>>;
  return {
    name: SHELL,
    level: "full",
    summary: "Run a script in dom0, as root",
    decision: isDecision(decision) ? decision : "deny",
    destructive: true,
    parameters: { properties: {}, required: [] },
  };
}
