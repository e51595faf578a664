// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What this VM may do, as dom0's daemon says it: asked for when a client wants the list of tools, and
 * now and then while one works; never while nothing happens.
 *
 * @module
 */

import { spanMs } from "../../shared/io/clock.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { NO_FLAGS } from "../../shared/protocol/flags.ts";
import type { Layout } from "../remote/files/layout.ts";
import { askDom0 } from "../remote/client/ask_dom0.ts";

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

export interface AccessBook {
  /** Asks dom0. @throws {NoAnswerError|UserError} */
  read(): Promise<Access>;
  /** What was read last; null before. */
  last(): Access | null;
  /** Whether it is worth asking again. */
  isOld(): boolean;
}

/** While a client works, a change of the policy shows after this time or sooner. */
const FRESH_MS = 30_000;
const ANSWER_MS = 8_000;

export function createAccessBook(layout: Layout, onChange: () => void): AccessBook {
  let last: Access | null = null;
  let readAtMs = -Infinity;
  let reading: Promise<Access> | null = null;
  const readNow = async (): Promise<Access> => {
    const access = await readAccess(layout);
    const isChanged = last !== null && decisionsOf(last) !== decisionsOf(access);
    last = access;
    readAtMs = spanMs();
    if (isChanged) onChange();
    return access;
  };
  return {
    read: () => reading ??= readNow().finally(() => reading = null),
    last: () => last,
    isOld: () => spanMs() - readAtMs > FRESH_MS,
  };
}

export function isOpen(access: Access, name: string): boolean {
  const decision = access.get(name)?.decision;
  return decision === "allow" || decision === "ask";
}

function decisionsOf(access: Access): string {
  return [...access.values()].map(({ name, decision }) => `${name}=${decision}`).join(" ");
}

async function readAccess(layout: Layout): Promise<Access> {
  const about = { why: null, waitMs: ANSWER_MS };
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
