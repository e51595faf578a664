// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * JSON values read into types, piece by piece. What does not fit is reported with its path, what
 * is wrong with the value, and what to write instead; all problems at once, not only the first.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";

export interface Problem {
  /** As "providers.openai.baseUrl"; empty for the whole file. */
  readonly path: string;
  readonly text: string;
  readonly fix: string;
}

/** What a reader returns for a value that it has reported. */
export const BAD = Symbol("bad");
export type Report = (problem: Problem) => void;
export type Read<T> = (value: unknown, path: string, report: Report) => T | typeof BAD;

export interface Field<T> {
  readonly read: Read<T>;
  /** For a field that is not there; a field without one is required. */
  readonly absent?: () => T;
}

export function required<T>(read: Read<T>): Field<T> {
  return { read };
}

export function optional<T>(read: Read<T>, absent: T): Field<T> {
  return { read, absent: () => absent };
}

/** An object with these fields and no others. */
export function record<T extends object>(
  fields: { readonly [K in keyof T]-?: Field<T[K]> },
): Read<T> {
  const known = Object.keys(fields) as (keyof T & string)[];
  return (value, path, report) => {
    if (!isObject(value)) return wrong(report, path, value, "write an object: { … }");
    let good = true;
    for (const name of Object.keys(value)) {
      if (known.includes(name as keyof T & string) || name.startsWith("//")) continue;
      good = false;
      report({
        path: joined(path, name),
        text: "no such setting",
        fix: `remove it; here there are: ${known.join(", ")}`,
      });
    }
    const result: Partial<T> = {};
    for (const name of known) {
      const { read, absent } = fields[name];
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      if (given === undefined && absent !== undefined) {
        result[name] = absent();
        continue;
      }
      if (given === undefined) {
        good = false;
        report({ path: joined(path, name), text: "is missing", fix: "add it" });
        continue;
      }
      const got = read(given, joined(path, name), report);
      if (got === BAD) good = false;
      else result[name] = got;
    }
    return good ? result as T : BAD;
  };
}

/** An object whose keys are names of the user's. */
export function mapOf<T>(read: Read<T>, isName: RegExp, nameRule: string): Read<Map<string, T>> {
  return (value, path, report) => {
    if (!isObject(value)) return wrong(report, path, value, "write an object: { … }");
    const result = new Map<string, T>();
    let good = true;
    for (const [name, given] of Object.entries(value)) {
      if (name.startsWith("//")) continue;
      if (!isName.test(name)) {
        good = false;
        report({ path: joined(path, name), text: "not a name", fix: nameRule });
        continue;
      }
      const got = read(given, joined(path, name), report);
      if (got === BAD) good = false;
      else result.set(name, got);
    }
    return good ? result : BAD;
  };
}

export function listOf<T>(read: Read<T>, min = 0, max = 1000): Read<readonly T[]> {
  return (value, path, report) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      return wrong(report, path, value, `write a list of ${min} to ${max}: [ … ]`);
    }
    const items: T[] = [];
    for (const [at, item] of value.entries()) {
      const got = read(item, `${path}[${at}]`, report);
      if (got !== BAD) items.push(got);
    }
    return items.length === value.length ? items : BAD;
  };
}

export function text(fits: RegExp, fix: string): Read<string> {
  return (value, path, report) =>
    typeof value === "string" && fits.test(value) ? value : wrong(report, path, value, fix);
}

export function oneOf<const W extends string>(words: readonly W[]): Read<W> {
  return (value, path, report) =>
    words.find((word) => word === value) ??
      wrong(report, path, value, `write one of: ${words.join(", ")}`);
}

export function number(min: number, max: number): Read<number> {
  return (value, path, report) =>
    typeof value === "number" && value >= min && value <= max
      ? value
      : wrong(report, path, value, `write a number from ${min} to ${max}`);
}

export function whole(min: number, max: number): Read<number> {
  return (value, path, report) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? value as number
      : wrong(report, path, value, `write a whole number from ${min} to ${max}`);
}

export const flag: Read<boolean> = (value, path, report) =>
  typeof value === "boolean" ? value : wrong(report, path, value, "write true or false");

/** Reads with `read`, and then makes something else of it. */
export function then<A, B>(
  read: Read<A>,
  next: (value: A, path: string, report: Report) => B | typeof BAD,
): Read<B> {
  return (value, path, report) => {
    const got = read(value, path, report);
    return got === BAD ? BAD : next(got, path, report);
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A string of the configuration may be a secret in the wrong place, so it is not shown. */
function wrong(report: Report, path: string, value: unknown, fix: string): typeof BAD {
  const shown = typeof value === "string"
    ? `a text of ${value.length} characters that does not fit`
    : printable(JSON.stringify(value) ?? String(value), 40);
  report({ path, text: `not right: ${shown}`, fix });
  return BAD;
}

function joined(path: string, name: string): string {
  const plain = /^[\w@.\/-]{1,80}$/.test(name) ? name : printable(name);
  return path === "" ? plain : `${path}.${plain}`;
}
