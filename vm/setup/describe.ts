// SPDX-License-Identifier: GPL-2.0-or-later
/** What a place of setup-vm is, in one line. @module */

import type { Value } from "../../shared/setup/record.ts";
import type { Fact } from "./fact.ts";

/** One line for a place and its value. */
export function describe(fact: Fact, value: Value): string {
  const no = value === null ? "no " : "";
  switch (fact.kind) {
    case "folder":
    case "file":
    case "kept":
      return `${no}${fact.path}`;
    case "setting":
      return value === null
        ? `no ${fact.key} in ${fact.path}`
        : `${fact.key} in ${fact.path}: ${value}`;
    case "packages":
      return `${no}${fact.name} in ${fact.prefix}`;
    case "ports":
      return value === null ? "no whitelist of ports" : `ports ${value} and no others`;
    case "linger":
      return `${no}linger of ${fact.user}`;
    default:
      return `${fact.unit} ${value === null ? "not " : ""}${fact.kind}`;
  }
}
