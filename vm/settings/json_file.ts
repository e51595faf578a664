// SPDX-License-Identifier: GPL-2.0-or-later
/** Configuration files in JSON: what is wrong with one, in words that show no secret. @module */

import { errorText, UserError } from "../../shared/io/program.ts";
import type { Problem } from "./shape.ts";

/** Beyond these, mending the first ones says more than a longer list. */
const SHOWN_PROBLEMS = 21;

/** @throws {UserError} that names the line, and quotes nothing of the text */
export function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes the text around the mistake, which may be a key in the wrong place.
    const at = /position (\d+)/.exec(errorText(error))?.[1];
    const line = at === undefined ? "" : ` at line ${text.slice(0, Number(at)).split("\n").length}`;
    throw new UserError(`${path} is no JSON${line}`, [
      "look for a missing or extra comma or quote there; comments are keys that begin with //",
    ]);
  }
}

/** @param next what to do when it is mended */
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
