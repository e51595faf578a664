// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The words for "who" in a policy: a VM's name, "*", "@anyvm", "@tag:NAME" and so on.
 * Not every one may stand everywhere; the table below says which may stand where.
 *
 * @module
 */
import { syntaxError } from "./policy_error.ts";

/** Columns of a rule, the target of an action, and what a caller may write as target. */
export type Place = "source" | "target" | "redirect" | "asked";

const EXACT = ["*", "@adminvm", "@anyvm", "@default", "@dispvm"] as const;
/** The longer one first: each begins with the next. */
const PREFIXES = ["@dispvm:@tag:", "@dispvm:", "@type:", "@tag:"] as const;

type Keyword = typeof EXACT[number] | typeof PREFIXES[number];

/** One such word, in its parts. */
export interface Token {
  readonly kind: Keyword | "name";
  /** What follows the prefix; the whole word where there is none. */
  readonly value: string;
  readonly text: string;
}

const MAY_STAND: Readonly<Record<Keyword, readonly Place[]>> = {
  "*": ["source", "target"],
  "@adminvm": ["source", "target", "redirect", "asked"],
  "@anyvm": ["source", "target"],
  "@default": ["target", "asked"],
  "@dispvm": ["target", "redirect", "asked"],
  "@dispvm:": ["source", "target", "redirect", "asked"],
  "@dispvm:@tag:": ["source", "target"],
  "@tag:": ["source", "target"],
  "@type:": ["source", "target"],
};

/** @throws {Refused} a word that is no token, or not one for this place; `at` is where it stands */
export function parseToken(text: string, place: Place, at: string): Token {
  if (text === "") throw syntaxError(at, `empty ${place}`);
  if (text !== "*" && !text.startsWith("@")) return { kind: "name", value: text, text };
  const token = keywordToken(text);
  if (token === undefined || !MAY_STAND[token.kind].includes(place)) {
    throw syntaxError(at, `"${text}" cannot be a ${place}`);
  }
  return token;
}

function keywordToken(text: string): Token & { readonly kind: Keyword } | undefined {
  const exact = EXACT.find((word) => word === text);
  if (exact !== undefined) return { kind: exact, value: text, text };
  const kind = PREFIXES.find((prefix) => text.startsWith(prefix));
  const value = text.slice(kind?.length);
  if (kind === undefined || value === "" || value.startsWith("@")) return undefined;
  return { kind, value, text };
}
