// SPDX-License-Identifier: GPL-2.0-or-later
/** What a migration changes in a VM, as data: the folder's name, and who may look into it. @module */

import { type Entry as EntryOf, recordFile } from "../../../shared/setup/record.ts";

export type Fact =
  /** The folder's older name gives way to its new one. */
  | { readonly kind: "folder" }
  /** The permissions, in octal digits, of something in it; "" is the folder itself. */
  | { readonly kind: "mode"; readonly path: string };

export type Entry = EntryOf<Fact>;

export interface Step extends Entry {
  readonly why: string;
}

export const OLD_NAME = ".qubes-remote";
export const NEW_NAME = ".qvm-remote";

export const record = recordFile<Fact>({
  program: "qvm-remote migrate",
  keyOf: (fact) => fact.kind === "mode" ? `mode ${fact.path}` : fact.kind,
  check(fact) {
    const isKnown = fact.kind === "folder" ||
      fact.kind === "mode" && typeof fact.path === "string" && !fact.path.includes("..");
    if (!isKnown) throw new Error("an unknown fact");
  },
});

/** @param value what the place is given */
export function describe(fact: Fact, value: string | null): string {
  if (fact.kind === "folder") return `rename the folder to ~/${value}`;
  return `chmod ${value} ~/${NEW_NAME}${fact.path}`;
}
