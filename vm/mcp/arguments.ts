// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a tool takes, as JSON Schema (2020-12) in its plainest form, and the arguments of a call,
 * checked against it. dom0 checks every value again: here a model is told what it wrote wrong. Pure.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";

interface Described {
  readonly description?: string;
}

export type Parameter =
  | Described & {
    readonly type: "string";
    readonly enum?: readonly string[];
    readonly maxLength?: number;
  }
  | Described & { readonly type: "integer"; readonly minimum: number; readonly maximum: number }
  | Described & { readonly type: "boolean" }
  /** Names with plain values. */
  | Described & { readonly type: "object"; readonly properties: Readonly<Record<string, never>> }
  | Described & {
    readonly type: "array";
    readonly items: {
      readonly type: "object";
      readonly properties: Readonly<Record<string, { readonly type: "string" }>>;
      readonly required: readonly string[];
    };
    readonly maxItems: number;
  };

/** A name that ends with "?" may be left out. */
export type Parameters = Readonly<Record<string, Parameter>>;

type Plain = string | number | boolean;
type Values = Readonly<Record<string, Plain>>;

/** The arguments of one call: what is asked for is there and of that type, or it is a bug here. */
export interface Arguments {
  has(name: string): boolean;
  text(name: string): string;
  number(name: string): number;
  /** False if it is left out. */
  flag(name: string): boolean;
  values(name: string): Values;
  list(name: string): readonly Values[];
}

/** The call is wrong. The message is for the model that made it. */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

const MAX_TEXT_CHARS = 60_000;
const MAX_KEYS = 40;

export function schemaOf(parameters: Parameters): {
  readonly type: "object";
  readonly properties: Readonly<Record<string, Parameter>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
} {
  const names = Object.keys(parameters);
  return {
    type: "object",
    properties: Object.fromEntries(
      Object.entries(parameters).map(([name, parameter]) => [bare(name), parameter]),
    ),
    required: names.filter((name) => !name.endsWith("?")),
    additionalProperties: false,
  };
}

const bare = (name: string): string => name.replace(/\?$/, "");

/** @throws {ArgumentError} */
export function parseArguments(parameters: Parameters, untrusted: unknown): Arguments {
  if (!isObject(untrusted)) throw new ArgumentError("the arguments are no object");
  const known = new Map(Object.entries(parameters).map(([name, kind]) => [bare(name), kind]));
  const given = new Map(Object.entries(untrusted));
  for (const [name, value] of given) {
    const parameter = known.get(name);
    if (parameter === undefined) {
      throw new ArgumentError(
        `there is no parameter ${printable(name)}; there are: ${[...known.keys()].join(", ")}`,
      );
    }
    check(name, parameter, value);
  }
  const missing = Object.keys(parameters).find((name) => !name.endsWith("?") && !given.has(name));
  if (missing !== undefined) throw new ArgumentError(`the parameter ${missing} is missing`);
  const read = (name: string, type: string): unknown => {
    if (known.get(name)?.type !== type) throw new Error(`bug: ${name} is no ${type}`);
    return given.get(name);
  };
  return {
    has: (name) => given.has(name),
    text: (name) => String(read(name, "string") ?? ""),
    number: (name) => Number(read(name, "integer")),
    flag: (name) => read(name, "boolean") === true,
    values: (name) => (read(name, "object") ?? {}) as Values,
    list: (name) => read(name, "array") as readonly Values[],
  };
}

function check(name: string, parameter: Parameter, value: unknown): void {
  const wrong = (want: string) => new ArgumentError(`the parameter ${name} must be ${want}`);
  switch (parameter.type) {
    case "string": {
      const maxChars = parameter.maxLength ?? MAX_TEXT_CHARS;
      if (typeof value !== "string") throw wrong("a string");
      if (value.length > maxChars) throw wrong(`at most ${maxChars} characters`);
      if (!value.isWellFormed() || value.includes("\0")) throw wrong("text without NUL");
      if (parameter.enum?.includes(value) === false) {
        throw wrong(`one of: ${parameter.enum.join(", ")}`);
      }
      return;
    }
    case "integer": {
      const { minimum, maximum } = parameter;
      const isGood = Number.isSafeInteger(value) && Number(value) >= minimum &&
        Number(value) <= maximum;
      if (!isGood) throw wrong(`a whole number from ${minimum} to ${maximum}`);
      return;
    }
    case "boolean":
      if (typeof value !== "boolean") throw wrong("true or false");
      return;
    case "object":
      if (!isPlainValues(value)) throw wrong("an object of strings, numbers, true and false");
      return;
    case "array": {
      const { maxItems, items } = parameter;
      if (!Array.isArray(value) || value.length > maxItems || value.length === 0) {
        throw wrong(`a list of 1 to ${maxItems} objects`);
      }
      const isGood = value.every((item) =>
        isPlainValues(item) && items.required.every((key) => typeof item[key] === "string")
      );
      if (!isGood) throw wrong(`a list of objects of plain values, each with ${items.required}`);
      return;
    }
  }
}

function isPlainValues(value: unknown): value is Values {
  if (!isObject(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MAX_KEYS && entries.every(([, part]) =>
    typeof part === "boolean" ||
    typeof part === "number" && Number.isSafeInteger(part) ||
    typeof part === "string" && part.length <= MAX_TEXT_CHARS && part.isWellFormed() &&
      !part.includes("\0")
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
