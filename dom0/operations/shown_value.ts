// SPDX-License-Identifier: GPL-2.0-or-later
/** A value that an operation reads, in words. Pure. @module */

import type { JsonValue } from "./operation.ts";

/** A firewall rule is written like one; a property says whether it is the default. */
export function shownValue(value: JsonValue): string {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(shownValue).join(", ");
  const fields = value as Readonly<Record<string, JsonValue>>;
  if ("isDefault" in fields) {
    return `${shownValue(fields["value"] ?? null)}${
      fields["isDefault"] === true ? " (default)" : ""
    }`;
  }
  return Object.entries(fields).map(([name, one]) =>
    name === "action" ? shownValue(one) : `${name}=${shownValue(one)}`
  ).join("  ");
}
