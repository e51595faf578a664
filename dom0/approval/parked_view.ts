// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A request that waits for a person, as that person is shown it, and the hash that binds the two:
 * what is approved is what was shown, or nothing.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { Level } from "../operations/operation.ts";
import { SHELL } from "../operations/table.ts";
import { CHANGES } from "../operations/undo.ts";
import type { JudgedForm, Judgement } from "../policy/judge.ts";
import type { Preview } from "./preview.ts";

/** What a request is, without its body, which may be large. */
export type ParkedIdentity = Pick<AuthenticRequest, "vm" | "id" | "digest" | "why" | "timeoutMs">;

/**
 * What may be granted for a while: nothing where each is to be looked at, for it destroys something;
 * exactly the same again; or the same operation to the same qubes with any values. Any command line as
 * root is a rule of the policy, and no grant.
 */
export type Grantable = "nothing" | "same" | "like";

export interface ParkedView {
  /** Small, for people; never given twice by one daemon. */
  readonly number: number;
  readonly vm: string;
  readonly id: string;
  /** 64 hex digits. */
  readonly hash: string;
  readonly parkedAtMs: number;
  readonly expiresAtMs: number;
  readonly operation: string;
  readonly level: Level;
  readonly summary: string;
  /** The qubes that it touches, "dom0" among them. */
  readonly targets: readonly string[];
  /** The rule that asks. */
  readonly rule: string;
  /** What the VM gives as its reason: a claim. */
  readonly why: string | null;
  readonly timeoutMs: number;
  /** What runs, one after another; null: a script, in a file of its own. */
  readonly argvs: readonly (readonly string[])[] | null;
  readonly destructive: boolean;
  readonly grantable: Grantable;
  /** How it is taken back, or that it cannot be. */
  readonly undo: string;
  readonly preview: Preview;
}

export interface ParkedTimes {
  readonly number: number;
  readonly parkedAtMs: number;
  readonly expiresAtMs: number;
}

export function parkedView(
  { vm, id, digest, why, timeoutMs }: ParkedIdentity,
  { recognised, decision }: Judgement,
  words: ParkedView["argvs"],
  preview: Preview,
  { number, parkedAtMs, expiresAtMs }: ParkedTimes,
): ParkedView {
  const operation = recognised?.operation.name ?? SHELL;
  return {
    ...{ number, parkedAtMs, expiresAtMs },
    ...{ vm, id, operation, why, timeoutMs, preview },
    hash: hashOf([vm, id, digest, operation, words, preview]),
    level: recognised?.operation.level ?? "full",
    summary: recognised?.operation.summary ?? "Run a command line of its own, as root in dom0",
    targets: (recognised?.touches ?? [null]).map((qube) => qube ?? "dom0"),
    rule: decision.because,
    argvs: words,
    destructive: recognised?.operation.destructive ?? true,
    grantable: grantableOf(recognised),
    undo: undoOf(recognised?.operation.name),
  };
}

function grantableOf(recognised: Judgement["recognised"]): Grantable {
  if (recognised === null) return "same";
  return recognised.operation.destructive ? "nothing" : "like";
}

/** The words that run; null for a script, which the request's digest names. */
export function wordsThatRun(command: JudgedForm, { recognised }: Judgement): ParkedView["argvs"] {
  if (recognised !== null) return recognised.argvs;
  return command.mode === "argv" ? [command.argv] : null;
}

function undoOf(operation: string | undefined): string {
  if (operation === undefined) return "it cannot be undone: nobody knows what it changes";
  return CHANGES.has(operation)
    ? 'by "qvm-remote-dom0 undo" and its id'
    : "there is nothing that undoes it";
}

function hashOf(parts: unknown): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
