// SPDX-License-Identifier: GPL-2.0-or-later
/** The part of a qube that an operation changes, as one text: by it a person's edit is compared. Pure. @module */

import type { JsonValue } from "../operations/operation.ts";
import { shownValue } from "../operations/shown_value.ts";

export const RULE_ADD = "vm.firewall.add";
export const RULE_REMOVE = "vm.firewall.remove";

type Words = Readonly<Record<string, string>>;

/**
 * A property's value; "present" or "absent" for a tag, or for a rule that comes; "on" or "off" for a
 * service; the text of a rule that goes.
 *
 * @param part as the table of what operations change reads it
 */
export function settingText(operation: string, values: Words, part: JsonValue): string {
  if (operation === RULE_ADD || operation === RULE_REMOVE) {
    return ruleState(operation, values, part);
  }
  if (typeof part === "boolean") return part ? "present" : "absent";
  if (operation.startsWith("vm.services.")) return part === "on" ? "on" : "off";
  if (typeof part === "object" && part !== null && !Array.isArray(part)) {
    const { value = null } = part as Readonly<Record<string, JsonValue>>;
    return value === null ? "" : String(value);
  }
  return part === null ? "" : String(part);
}

function ruleState(operation: string, values: Words, rules: JsonValue): string {
  const all = Array.isArray(rules) ? rules : [];
  if (operation === RULE_ADD) {
    const wanted = sameAs(values);
    return all.some((rule) => sameAs(rule) === wanted) ? "present" : "absent";
  }
  const rule = all[Number(values["rule_no"])];
  return rule === undefined ? "absent" : shownValue(rule);
}

/** Equal for what is written to add a rule and what is listed of it. */
function sameAs(rule: JsonValue): string {
  const fields = typeof rule === "object" && rule !== null && !Array.isArray(rule)
    ? rule as Readonly<Record<string, JsonValue>>
    : {};
  const host = String(fields["dsthost"] ?? fields["dst4"] ?? fields["dst6"] ?? "");
  const ports = String(fields["dstports"] ?? "");
  return JSON.stringify([
    fields["action"],
    host.replace(/\/(32|128)$/, ""),
    fields["proto"] ?? "",
    ports.replace(/^(\d+)-\1$/, "$1"),
    String(fields["icmptype"] ?? ""),
    fields["specialtarget"] ?? "",
    fields["comment"] ?? "",
  ]);
}
