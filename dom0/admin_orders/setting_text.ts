// SPDX-License-Identifier: GPL-2.0-or-later
/** The part of a qube that an operation changes, as one text: by it a person's edit is compared. Pure. @module */

import type { JsonValue } from "../operations/operation.ts";

/** A property's value; "present" or "absent" for a tag; "on" or "off" for a service. */
export function settingText(operation: string, part: JsonValue): string {
  if (typeof part === "boolean") return part ? "present" : "absent";
  if (operation.startsWith("vm.services.")) return part === "on" ? "on" : "off";
  if (typeof part === "object" && part !== null && !Array.isArray(part)) {
    const { value = null } = part as Readonly<Record<string, JsonValue>>;
    return value === null ? "" : String(value);
  }
  return part === null ? "" : String(part);
}
