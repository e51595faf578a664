// SPDX-License-Identifier: GPL-2.0-or-later
/** Which VMs are let in: what the web admin asks of dom0 about keys. It never sees one of them. @module */

import type { GrantLevel } from "../../policy/grant_file.ts";

export interface KeysChannel {
  keys(): Promise<KeyState>;
  /** Asked of the VM, which runs. @throws {Dom0Error} it does not answer, or with no key */
  fingerprintOf(vm: string): Promise<string>;
  /** @throws {Dom0Error} the key is not the one that was compared, or is not a key */
  authorize(vm: string, key: GivenKey, right: AskedRight, by: string): Promise<Authorized>;
  /** What lies in the VM's queue; "clean" and "recover" remove what nobody waits for. */
  queue(vm: string, what: QueueQuestion, by: string): Promise<QueueCounts>;
  /** Asked of the VM. @throws {Dom0Error} it does not answer */
  queueEntries(vm: string): Promise<readonly QueueItem[]>;
}

export interface KeyState {
  readonly keys: readonly {
    readonly vm: string;
    readonly fingerprint: string;
    readonly acceptsV1: boolean;
  }[];
  /** Keys that are not used, and why. */
  readonly faults: readonly { readonly vm: string; readonly message: string }[];
}

/** The key that the VM has, if its fingerprint is still the one that a person compared; or one typed in. */
export type GivenKey = { readonly fingerprint: string } | { readonly text: string };

export interface AskedRight {
  readonly grant: GrantLevel;
  /** "@tag:ai"; null: every qube. */
  readonly scope: string | null;
  readonly acceptsV1: boolean;
}

export interface Authorized {
  readonly fingerprint: string;
  /** The running daemon serves it; null: no daemon has said so. */
  readonly inForce: boolean | null;
}

export const QUEUE_QUESTIONS = ["status", "clean", "recover"] as const;
export type QueueQuestion = typeof QUEUE_QUESTIONS[number];

export interface QueueCounts {
  readonly pending: number;
  readonly running: number;
  readonly results: number;
  readonly removed: number;
}

/** A file in the VM's queue. */
export interface QueueItem {
  readonly folder: string;
  readonly bytes: number;
  /** The VM's own words. */
  readonly name: string;
}
