// SPDX-License-Identifier: GPL-2.0-or-later
/** What of the system a VM may see, and what stands in the place of the rest. @module */

/** Stands where the name of a qube stands that may not be seen. */
export const NOT_VISIBLE = "(not visible)";

export interface View {
  /** Whether there is such a qube and it may not be seen. */
  readonly hides: (name: string) => boolean;
  /** The text with each hidden name in it replaced, alone or inside another, as in "vm-work-root". */
  readonly mask: (text: string) => string;
  /** The same for what a tool says about a request: names that the request itself has in it stay. */
  readonly maskMessage: (text: string) => string;
}

export interface Names {
  /** Of qubes that may not be seen. */
  readonly hidden: ReadonlySet<string>;
  /** Of the others: where one of these stands, no part of it is a hidden one. */
  readonly visible?: ReadonlySet<string>;
  /** Hidden ones that a request has in it: what is missing from "no property vault" would tell. */
  readonly said?: ReadonlySet<string>;
}

export function createView({ hidden, visible = new Set(), said = new Set() }: Names): View {
  // A longer name first: "work-web" is not "work" and "-web".
  const names = [...hidden, ...visible].sort((a, b) => b.length - a.length).map(escaped);
  const pattern = names.length === 0
    ? null
    : new RegExp(`(?<![A-Za-z0-9])(?:${names.join("|")})(?![A-Za-z0-9])`, "g");
  const maskAll = (text: string, stays: (name: string) => boolean): string =>
    pattern === null ? text : text.replace(
      pattern,
      (name) => hidden.has(name) && !stays(name) ? NOT_VISIBLE : name,
    );
  return {
    hides: (name) => hidden.has(name),
    mask: (text) => maskAll(text, () => false),
    maskMessage: (text) => maskAll(text, (name) => said.has(name)),
  };
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
