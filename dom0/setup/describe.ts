// SPDX-License-Identifier: GPL-2.0-or-later
/** What a place of setup-dom0 is, in one line. @module */

import { printable } from "../../shared/protocol/printable.ts";
import type { Fact, Value } from "./fact.ts";

/** One line for a place and its value. */
export function describe(fact: Fact, value: Value): string {
  switch (fact.kind) {
    case "vm":
      return value === null ? `VM ${fact.vm} removed` : `VM ${fact.vm}`;
    case "firewall":
      return `${fact.vm} firewall ${value === null ? "as before" : "drops all"}`;
    case "file":
      return value === null ? `no ${fact.path}` : fact.path;
    case "enabled":
    case "active":
      return `${fact.unit} ${value === null ? "not " : ""}${fact.kind}`;
    case "block":
      return `${fact.vm}:${fact.path} ${value === null ? "without" : "with"} our block`;
    case "tag":
      return `${fact.vm} ${value === null ? "without tag" : "tag"} ${fact.name}`;
    default:
      return `${fact.vm} ${fact.kind} ${fact.name} ${value === null ? "unset" : shown(value)}`;
  }
}

const shown = (value: string): string => `= ${printable(value).slice(1, -1)}`;
