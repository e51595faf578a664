// SPDX-License-Identifier: GPL-2.0-or-later
/** What the web admin asks of dom0 about the policy: its files, what they mean, changes of them. @module */

import type { Effect, WhatMay } from "../../admin_orders/who_may.ts";
import type { WantedChange, WantedText } from "../../operator/policy_files.ts";

export interface PolicyChannel {
  policy(): Promise<PolicyState>;
  /** What is wrong with this text, as that file, and what it would allow; null: without the file. */
  checkPolicy(file: string, text: string | null): Promise<PolicyTrial>;
  /** @throws {Dom0Error} nothing is changed */
  changePolicy(wanted: WantedChange, by: string): Promise<void>;
  policyChanges(): Promise<readonly PolicyChangeNow[]>;
  /** @returns the id of the change that took it back @throws {Dom0Error} it is not undone */
  undoPolicy(id: string, by: string): Promise<{ readonly id: string }>;
  /** @param draft as if a file had this text; null: by what is in force */
  explain(vm: string, words: readonly string[], draft: WantedText | null): Promise<Explanation>;
}

export interface PolicyFile {
  readonly name: string;
  readonly text: string;
  /** Says with a change which text the person saw. */
  readonly mark: string;
}

export interface PolicyRule {
  readonly where: string;
  readonly text: string;
}

export interface PolicyCheck {
  /** null: it may be saved. */
  readonly error: string | null;
  readonly warnings: readonly { readonly where: string; readonly text: string }[];
}

export interface PolicyTrial extends PolicyCheck {
  /** Whom it would answer otherwise. */
  readonly effects: readonly Effect[];
}

/** A change that was made to a file, and what that is now. */
export interface PolicyChangeNow {
  readonly id: string;
  readonly timeMs: number;
  readonly by: string;
  readonly file: string;
  /** Its text; null: it was not there. */
  readonly before: string | null;
  /** null: it was removed. */
  readonly after: string | null;
  readonly isUndone: boolean;
  /** null: there is no such file. */
  readonly now: string | null;
}

export interface PolicyState extends PolicyCheck {
  readonly folder: string;
  readonly files: readonly PolicyFile[];
  /** In force. */
  readonly rules: readonly PolicyRule[];
  /** What each authorised VM may do, by level, wherever it can. */
  readonly who: readonly WhoMay[];
}

export interface WhoMay {
  readonly vm: string;
  readonly fingerprint: string;
  readonly answers: WhatMay;
}

export interface Explanation {
  readonly operation: string;
  readonly action: "allow" | "ask" | "deny";
  readonly because: string;
  readonly steps: readonly {
    readonly target: string | null;
    readonly where: string;
    readonly text: string;
    /** null: this rule decides. */
    readonly passedOver: string | null;
  }[];
}
