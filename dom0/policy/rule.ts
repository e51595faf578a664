// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a policy rule is, and what the rules are asked. A file of rules reads like qrexec's:
 *
 *     # operation    source   target     action
 *     @monitor       @anyvm   *          allow
 *     vm.start       work     @tag:lab   allow
 *     vm.prefs.*     work     @tag:lab   ask     timeout=60 notify=no
 *     vm.create      agent    *          allow   create=@tag:ai
 *     shell          deploy   -          ask     expires=2026-12-31
 *     file.*         agent    /srv/ai/*  allow
 *     !include shared-rules
 *
 * @module
 */

import type { Target } from "../operations/parameter.ts";
import type { Level } from "../operations/operation.ts";
import type { Dom0Path } from "../../shared/protocol/dom0_path.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

export type Action = "allow" | "ask" | "deny";

/** Which operations a rule is about. */
export type OperationPattern =
  | { readonly kind: "any" }
  | { readonly kind: "level"; readonly level: Level }
  /** Everything whose name begins so, as "vm.prefs." */
  | { readonly kind: "family"; readonly prefix: string }
  | { readonly kind: "one"; readonly name: string };

/** Which qubes: as the source, all but dom0; as the target, any. */
export type QubePattern =
  | { readonly kind: "any" }
  /** No qube: dom0 itself, or the system as a whole. Only as a target. */
  | { readonly kind: "none" }
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "type"; readonly type: string }
  | { readonly kind: "one"; readonly name: VmName };

/** A file or folder of dom0. Only as a target. */
export interface PathPattern {
  readonly kind: "path";
  /** "" is the root, of which there is everything below. */
  readonly path: Dom0Path | "";
  /** With everything below it, at any depth. */
  readonly below: boolean;
}

export type TargetPattern = QubePattern | PathPattern;

export interface RuleOptions {
  /** Cap on how long it may run. */
  readonly timeoutSeconds?: number;
  /** Cap on the memory of what runs. */
  readonly memoryBytes?: number;
  /** From then on the rule is passed over. */
  readonly expiresMs?: number;
  /** Whether the person at the screen is notified; by default, only of what needs an answer. */
  readonly notify?: boolean;
  /** A qube that is created under this rule gets this tag. */
  readonly createTag?: string;
}

export interface Rule {
  readonly operation: OperationPattern;
  readonly source: QubePattern;
  readonly target: TargetPattern;
  readonly action: Action;
  readonly options: RuleOptions;
  /** "30-work.policy:2", for the audit and for whoever asks why. */
  readonly where: string;
  /** As it is written, one blank between words. */
  readonly text: string;
}

/** What a VM wants to do, as far as rules look at it. */
export interface Question {
  readonly vm: VmName;
  /** The name of an operation, or "shell". */
  readonly operation: string;
  readonly level: Level;
  /** What it touches; null: dom0, or the system as a whole. At least one. */
  readonly targets: readonly Target[];
}

/** What is known of qubes. null: it could not be learned, and allows nothing. */
export interface QubeFacts {
  readonly tagsOf: (qube: VmName) => ReadonlySet<string> | null;
  readonly typeOf: (qube: VmName) => string | null;
}

/**
 * Whether the target "*" means every path, too. "@monitor work * allow" is about qubes: whoever wrote
 * it has not thought of all files of dom0. What forbids or asks, and what allows everything, means them.
 */
export function coversPaths({ operation, target, action }: Rule): boolean {
  return target.kind === "any" && (action !== "allow" || operation.kind === "any");
}

/** Whether any rule is about the VM: without one everything is denied. */
export function hasRule(rules: readonly Rule[], vm: VmName): boolean {
  return rules.some(({ source }) => source.kind !== "one" || source.name === vm);
}
