// SPDX-License-Identifier: GPL-2.0-or-later
/** Why nothing is allowed, or why no answer can be given. @module */

/** The engine would refuse for this reason: one call, or all, if it is found while loading. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** The engine can do this and this evaluator cannot: its answer would be a guess. */
export class NotSupported extends Error {
  override readonly name = "NotSupported";
}

/** A mistake in a file: it refuses every call there is. */
export function syntaxError(at: string, what: string): Refused {
  return new Refused(`${at}: ${what}`);
}
