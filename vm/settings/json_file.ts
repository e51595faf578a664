// SPDX-License-Identifier: GPL-2.0-or-later
/** Configuration files in JSON: what is wrong with one, in words that show no secret. @module */

import { errorText, UserError } from "../../shared/cli/program.ts";
import type { Problem } from "./shape.ts";

/** After these, correcting the first ones helps more than a longer list. */
const SHOWN_PROBLEMS = 21;

/** @throws {UserError} that names the line, and quotes nothing of the text */
export function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === "") {
      throw new UserError(`${path} is empty`, ["write it anew, or remove it"]);
    }
    throw new UserError(`${path} is not JSON${placeOf(errorText(error), text)}`, [
      "look for a missing or extra comma, quote or bracket there; comments are keys that begin with //",
    ]);
  }
}

/** How many letters V8 quotes before the one that does not fit. */
const QUOTED_BEFORE = 10;

/** V8 names a position, or quotes the text around the mistake, which may be a key and is not shown. */
function placeOf(message: string, text: string): string {
  const lineOf = (at: number): number => text.slice(0, at).split("\n").length;
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) {
    const at = Number(position);
    if (at < text.trimEnd().length) return `: see line ${lineOf(at)}`;
  } else if (!message.includes("end of JSON input")) {
    const quoted = /, \.\.\."([^]*?)"(\.\.\.)? is not valid JSON$/.exec(message)?.[1];
    const from = quoted === undefined ? -1 : text.indexOf(quoted);
    return from < 0 ? "" : `: see line ${lineOf(from + QUOTED_BEFORE)}`;
  }
  return `: it ends at line ${lineOf(text.trimEnd().length)}, too early`;
}

/** @param next what to do once it is corrected */
export function problemsError(
  path: string,
  problems: readonly Problem[],
  next: string,
): UserError {
  const [first, ...rest] = problems.slice(0, SHOWN_PROBLEMS).map((one) =>
    `${one.path === "" ? "the file" : one.path}: ${one.text}; ${one.fix}`
  );
  return new UserError(`${path}: ${first}`, [...rest.map((line) => `also: ${line}`), next]);
}
