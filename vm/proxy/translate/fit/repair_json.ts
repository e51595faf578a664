// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Tool call arguments that are not a JSON object: an answer was cut off, and the client sends it back
 * with every later turn. Rejecting it would end the session for good.
 *
 * @module
 */

import { isObject } from "../../../settings/shape.ts";

/** "" stands for no arguments. */
export function isJsonObject(text: string): boolean {
  return text.trim() === "" || isObject(parsed(text));
}

/** The text if it is an object, else its completed beginning, else an object that quotes it. */
export function repairedArguments(text: string): string {
  if (isJsonObject(text)) return text;
  const closed = closedJson(text);
  return isObject(parsed(closed)) ? closed : JSON.stringify({ INVALID_JSON: text });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Closes open strings and brackets, and drops an incomplete last value. */
function closedJson(text: string): string {
  const open: string[] = [];
  let inText = false;
  /** After the last complete value, with the brackets open there. */
  let whole = { at: 0, open: "" };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? "";
    if (inText) {
      if (letter === "\\") at++;
      else if (letter === '"') inText = false;
      continue;
    }
    if (letter === '"') inText = true;
    else if (letter === "{" || letter === "[") {
      open.push(letter === "{" ? "}" : "]");
      whole = { at: at + 1, open: open.toReversed().join("") };
    } else if (letter === "}" || letter === "]") {
      if (open.pop() !== letter) return text;
      whole = { at: at + 1, open: open.toReversed().join("") };
    } else if (letter === ",") whole = { at, open: open.toReversed().join("") };
  }
  const ends = open.toReversed().join("");
  const attempts = [
    (inText ? text.replace(/\\(u[0-9a-f]{0,3})?$/i, "") + '"' : text) + ends,
    text.slice(0, whole.at) + whole.open,
  ];
  return attempts.find((attempt) => parsed(attempt) !== undefined) ?? text;
}
