// SPDX-License-Identifier: GPL-2.0-or-later
/** What a migration found, does and leaves, in words. Pure. @module */

import { remarkLines, section } from "../../../shared/setup/remarks.ts";
import { GROUP_OR_OTHER } from "../../../shared/io/private_modes.ts";
import { describe, type Entry, OLD_NAME, type Step } from "./fact.ts";
import type { Found, Plan } from "./plan.ts";

/** True: nothing here is of the original, nor of a migration. */
export function isEmpty({ folders, underWay, modes, entries }: Found): boolean {
  return folders.length === 0 ||
    entries.length === 0 && underWay.length === 0 && !folders.includes(OLD_NAME) &&
      modes.every(({ mode }) => (mode & GROUP_OR_OTHER) === 0);
}

export function planText(found: Found, { steps, notTaken, stays }: Plan): string {
  return [
    section("Found", foundLines(found)),
    section(
      "Steps",
      steps.flatMap(({ fact, to, why }, i) => [
        `${i + 1}. ${describe(fact, to)}`,
        `   (${why})`,
      ]),
    ),
    section("Not taken over", notTaken.flatMap(remarkLines)),
    section("Stays", stays.flatMap(remarkLines)),
  ].join("");
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

export function stepLine({ fact, to }: Step): string {
  return `${describe(fact, to)}\n`;
}

export function backLine({ fact, from }: Entry, left: string | null): string {
  const what = describe(fact, from);
  return left === null ? `${what}\n` : `NOT DONE: ${what}: ${left}\n`;
}

export const NEXT = 'Next: in dom0 "qvm-remote-dom0 migrate --apply", if that is not done, and ' +
  '"qvm-remote-dom0 enable";\nthen here "qvm-remote ping"\n';
