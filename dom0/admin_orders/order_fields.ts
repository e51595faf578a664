// SPDX-License-Identifier: GPL-2.0-or-later
/** The fields of an order of the web admin, and of its answer. @module */

import type { JsonValue } from "../operations/operation.ts";
import { OrderError } from "../orders/order_file.ts";

/** The largest thing in an order is a policy file. */
export const MAX_ORDER_BYTES = 512 * 1024;
/** A page of records, or what an operation printed. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

export type OrderAnswer =
  | { readonly ok: true; readonly value: JsonValue }
  /** For the person who asked. */
  | { readonly ok: false; readonly text: string };

/** Read strictly although root wrote it: an order is done whole or not at all. */
export interface OrderFields {
  /** @throws {OrderError} as do all of these */
  text(name: string): string;
  textOrNull(name: string): string | null;
  number(name: string): number;
  numberOrNull(name: string): number | null;
  flag(name: string): boolean;
  words(name: string): readonly string[];
  /** Names and texts. */
  pairs(name: string): Readonly<Record<string, string>>;
  /** Each with fields of its own. */
  list(name: string): readonly OrderFields[];
}

/** @throws {OrderError} */
export function readOrder(text: string): OrderFields {
  return fieldsOf(recordOf(parse(text)));
}

function fieldsOf(fields: Readonly<Record<string, unknown>>): OrderFields {
  const get = <T>(name: string, is: (value: unknown) => value is T): T => {
    const value = fields[name];
    if (is(value)) return value;
    throw new OrderError(`${name} is missing or of the wrong type`);
  };
  return {
    text: (name) => get(name, isText),
    textOrNull: (name) => get(name, orNull(isText)),
    number: (name) => get(name, isNumber),
    numberOrNull: (name) => get(name, orNull(isNumber)),
    flag: (name) => get(name, (value) => typeof value === "boolean"),
    words: (name) => get(name, isWords),
    pairs: (name) => get(name, isPairs),
    list: (name) => get(name, Array.isArray).map((one) => fieldsOf(recordOf(one))),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new OrderError("it is no JSON");
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value));
  }
  throw new OrderError("it is no object");
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isWords(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isPairs(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every(isText);
}

function orNull<T>(is: (value: unknown) => value is T): (value: unknown) => value is T | null {
  return (value): value is T | null => value === null || is(value);
}
