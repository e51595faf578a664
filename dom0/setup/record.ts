// SPDX-License-Identifier: GPL-2.0-or-later
/** The record of setup-dom0: what it changed, and what each place held before. @module */

import { type Entry as EntryOf, recordFile } from "../../shared/setup/record.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { type Fact, factKey } from "./fact.ts";

export type Entry = EntryOf<Fact>;

const KINDS: readonly Fact["kind"][] = [
  "vm",
  "pref",
  "tag",
  "feature",
  "service",
  "firewall",
  "file",
  "enabled",
  "active",
  "block",
];

export const record = recordFile<Fact>({
  program: "setup-dom0",
  keyOf: factKey,
  check(fact) {
    if (!KINDS.some((kind) => kind === fact["kind"])) throw new Error("an unknown kind of fact");
    for (const name of ["vm", "template"]) {
      if (fact[name] !== undefined) parseVmName(String(fact[name]));
    }
  },
});
