// SPDX-License-Identifier: GPL-2.0-or-later
/** What of the system a VM may see, and what stands in the place of the rest. @module */

/** Stands where the name of a qube stands that may not be seen. */
export const NOT_VISIBLE = "(not visible)";

export interface View {
  /** Whether there is such a qube and it may not be seen. */
  readonly hides: (name: string) => boolean;
  /** The text with each hidden name in it replaced, alone or inside another, as in "vm-work-root". */
  readonly mask: (text: string) => string;
}

/** @param hidden the names of qubes that may not be seen */
export function createView(hidden: ReadonlySet<string>): View {
  // A longer name first: "work-web" is not "work" and "-web".
  const names = [...hidden].sort((a, b) => b.length - a.length).map(escaped);
  const pattern = names.length === 0
    ? null
    : new RegExp(`(?<![A-Za-z0-9])(?:${names.join("|")})(?![A-Za-z0-9])`, "g");
  return {
    hides: (name) => hidden.has(name),
    mask: (text) => pattern === null ? text : text.replace(pattern, NOT_VISIBLE),
  };
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
