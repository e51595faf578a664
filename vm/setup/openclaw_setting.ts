// SPDX-License-Identifier: GPL-2.0-or-later
/** One setting of openclaw.json, read and changed in its place; the rest of the file stays. Pure. @module */

import { UserError } from "../../shared/cli/program.ts";
import type { Value } from "../../shared/setup/record.ts";
import { isObject } from "../settings/shape.ts";

/** OpenClaw also takes JSON5, with comments: what would be lost is not written again. */
export const NOT_PLAIN = "in a file that is not plain JSON";

/** The value of "a.b.c" as JSON, its keys in order. null: there is none, or no file. */
export function settingOf(text: string | undefined, key: string): Value {
  if (text === undefined) return null;
  let at: unknown;
  try {
    at = JSON.parse(text);
  } catch {
    return NOT_PLAIN;
  }
  for (const name of key.split(".")) at = isObject(at) ? at[name] : undefined;
  return at === undefined ? null : inOrder(at);
}

/** The file with that value there; null takes it away. @throws {UserError} if it is not plain JSON */
export function withSetting(
  path: string,
  text: string,
  key: string,
  to: Value,
): string {
  if (settingOf(text, key) === NOT_PLAIN) throw notPlain(path, key, to);
  const whole = JSON.parse(text);
  if (!isObject(whole)) throw notPlain(path, key, to);
  const names = key.split(".");
  return `${JSON.stringify(changed(whole, names, to), null, 2)}\n`;
}

function changed(
  whole: Readonly<Record<string, unknown>>,
  [name = "", ...inner]: readonly string[],
  to: Value,
): Readonly<Record<string, unknown>> {
  const { [name]: before, ...others } = whole;
  if (inner.length > 0) {
    if (to === null && !isObject(before)) return whole;
    return { ...whole, [name]: changed(isObject(before) ? before : {}, inner, to) };
  }
  return to === null ? others : { ...whole, [name]: JSON.parse(to) };
}

function notPlain(path: string, key: string, to: Value): UserError {
  const verb = to === null ? `unset ${key}` : `set ${key} '${to}' --strict-json`;
  return new UserError(`${path} is not plain JSON, so setup-vm does not write it anew`, [
    `OpenClaw itself does: openclaw config ${verb}`,
  ]);
}

/** One spelling for a value, however its keys are ordered. */
function inOrder(value: unknown): string {
  return JSON.stringify(
    value,
    (_, part) => isObject(part) ? Object.fromEntries(Object.entries(part).toSorted(byName)) : part,
  );
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;
