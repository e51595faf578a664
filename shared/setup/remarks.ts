// SPDX-License-Identifier: GPL-2.0-or-later
/** What a person has to know of a plan beside its steps, in lines under headings. Pure. @module */

export interface Remark {
  readonly what: string;
  /** A sentence or more, without the last period. */
  readonly why: string;
}

export function remarkLines({ what, why }: Remark): readonly string[] {
  return [what, `  ${why}.`];
}

/** Nothing, if there are no lines. */
export function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
