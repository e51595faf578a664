// SPDX-License-Identifier: GPL-2.0-or-later
/** What a migration found, does and leaves, in words. Pure. @module */

import { describe, type Entry, type Step } from "./fact.ts";
import type { Found, Plan, Remark } from "./plan.ts";

/** True: nothing here is of the original, nor of a migration. */
export function isEmpty({ folders, underWay, modes, entries }: Found): boolean {
  return folders.length === 0 ||
    entries.length === 0 && underWay.length === 0 && !folders.includes(".qubes-remote") &&
      modes.every(({ mode }) => (mode & 0o077) === 0);
}

export function planText(found: Found, { steps, notTaken, stays }: Plan): string {
  return [
    heading("Found", foundLines(found)),
    heading(
      "Steps",
      steps.flatMap(({ fact, to, why }, i) => [
        `${i + 1}. ${describe(fact, to)}`,
        `   (${why})`,
      ]),
    ),
    heading("Not taken over", notTaken.flatMap(remarkLines)),
    heading("Stays", stays.flatMap(remarkLines)),
  ].join("");
}

function heading(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function foundLines({ folders, key, underWay, entries }: Found): readonly string[] {
  return [
    ...folders.map((name) => `~/${name}`),
    ...key !== null && "fingerprint" in key
      ? [`key with the fingerprint ${key.fingerprint}: it stays, and dom0 knows it`]
      : [],
    ...underWay.length === 0 ? [] : [`requests without an answer: ${underWay.length}`],
    ...entries.length === 0 ? [] : [`a record of an earlier migration: ${entries.length} changes`],
  ];
}

function remarkLines({ what, why }: Remark): readonly string[] {
  return [what, `  ${why}.`];
}

export function stepLine({ fact, to }: Step): string {
  return `${describe(fact, to)}\n`;
}

export function backLine({ fact, from }: Entry, left: string | null): string {
  const what = describe(fact, from);
  return left === null ? `${what}\n` : `NOT DONE: ${what}: ${left}\n`;
}

export const NEXT = 'Next: in dom0 "qvm-remote-dom0 migrate --apply", if that is not done, and ' +
  '"qvm-remote-dom0 enable";\nthen here "qvm-remote ping"\n';
