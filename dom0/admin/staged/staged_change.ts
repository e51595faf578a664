// SPDX-License-Identifier: GPL-2.0-or-later
/** A change that a person has put on the list, and not made yet. @module */

export interface StagedChange {
  /** The operation that makes it. */
  readonly operation: string;
  readonly values: Readonly<Record<string, string>>;
  /** null: dom0. */
  readonly qube: string | null;
  /** "memory", "tag lab". */
  readonly setting: string;
  /** What it was when it was put on the list. */
  readonly before: string;
  readonly after: string;
}

/** A plan that was begun with some of them. */
export interface Applying {
  readonly id: string;
  readonly sinceMs: number;
  readonly changes: readonly StagedChange[];
}

/** Two changes with the same key are about the same thing: the later one counts. */
export function stagedKey({ qube, setting }: StagedChange): string {
  return `${qube ?? "dom0"} ${setting}`;
}
