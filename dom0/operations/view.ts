// SPDX-License-Identifier: GPL-2.0-or-later
/** What a VM may see of the system, and what replaces the rest. @module */

/** Replaces the name of a qube that the VM may not see. */
export const NOT_VISIBLE = "(not visible)";

export interface View {
  /** Whether the qube exists and the VM may not see it. */
  readonly hides: (name: string) => boolean;
  /** Whether the qube exists and the VM may see it. */
  readonly shows: (name: string) => boolean;
  /** The text with each hidden name in it replaced, alone or inside another, as in "vm-work-root". */
  readonly mask: (text: string) => string;
  /** The same for a tool's messages about a request: names in the request itself stay. */
  readonly maskMessage: (text: string) => string;
}

export interface Names {
  /** Of hidden qubes. */
  readonly hidden: ReadonlySet<string>;
  /** Of the other qubes: no part of these is taken for a hidden name. */
  readonly visible?: ReadonlySet<string>;
  /** Hidden names in the request itself: leaving them out of "no property vault" would reveal them. */
  readonly said?: ReadonlySet<string>;
}

export function createView({ hidden, visible = new Set(), said = new Set() }: Names): View {
  // Longer names first: "work-web" is not "work" and "-web".
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
    shows: (name) => visible.has(name),
    mask: (text) => maskAll(text, () => false),
    maskMessage: (text) => maskAll(text, (name) => said.has(name)),
  };
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
