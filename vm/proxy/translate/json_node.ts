// SPDX-License-Identifier: GPL-2.0-or-later
/** Foreign JSON with the path to each value, read piece by piece: nothing is cast. @module */

import { printable } from "../../../shared/protocol/printable.ts";
import { isObject } from "../../settings/shape.ts";
import { TranslationError } from "./translation_error.ts";

export interface JsonNode {
  readonly value: unknown;
  /** As "body.messages[2].content". */
  readonly path: string;
}

/** Far above what a tool's schema needs, far below what exhausts the stack when written again. */
export const MAX_JSON_DEPTH = 200;

/** @throws {TranslationError} if it is no JSON. @param what names the root in error paths */
export function parseJson(untrustedText: string, what: string): JsonNode {
  try {
    return { value: JSON.parse(untrustedText), path: what };
  } catch {
    throw new TranslationError(what, "is not JSON", "send one JSON object");
  }
}

/** null: it is no JSON, or no object. */
export function parsedObject(untrustedText: string): Readonly<Record<string, unknown>> | null {
  try {
    const json: unknown = JSON.parse(untrustedText);
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "an array" : `of type ${typeof value}`;

function refuse(node: JsonNode, want: string): never {
  const found = node.value === undefined ? "is missing" : `is ${kindOf(node.value)}`;
  throw new TranslationError(node.path, found, `give ${want}`);
}

/** One field of an object; its value is undefined if the object has none of its own. */
export function field(node: JsonNode, key: string): JsonNode {
  const value = asObject(node);
  return {
    value: Object.hasOwn(value, key) ? value[key] : undefined,
    path: `${node.path}.${key}`,
  };
}

export function asObject(node: JsonNode): Readonly<Record<string, unknown>> {
  return isObject(node.value) ? node.value : refuse(node, "an object");
}

export function asArray(node: JsonNode): JsonNode[] {
  if (!Array.isArray(node.value)) return refuse(node, "an array");
  return node.value.map((value: unknown, i) => ({ value, path: `${node.path}[${i}]` }));
}

export function asString(node: JsonNode): string {
  return typeof node.value === "string" ? node.value : refuse(node, "a string");
}

export function asNumber(node: JsonNode): number {
  return typeof node.value === "number" ? node.value : refuse(node, "a number");
}

/** A count; anything else is 0, because a wrong sum must not cost the answer. */
export function asCount({ value }: JsonNode): number {
  return typeof value === "number" && value >= 0 && value <= MAX_COUNT ? Math.floor(value) : 0;
}

/** No request has more tokens. */
const MAX_COUNT = 1e9;

export function asBoolean(node: JsonNode): boolean {
  return typeof node.value === "boolean" ? node.value : refuse(node, "true or false");
}

/** null and absent are the same in all three APIs. */
export const isAbsent = (node: JsonNode): boolean =>
  node.value === undefined || node.value === null;

export function optional<T>(node: JsonNode, read: (node: JsonNode) => T): T | undefined {
  return isAbsent(node) ? undefined : read(node);
}

/** `{ [key]: value }`, or nothing for undefined: for optional properties. */
export function given<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  const out: { [P in K]?: T } = {};
  if (value !== undefined) out[key] = value;
  return out;
}

/** JSON that is passed on unchanged, after its nesting is checked. */
export function asOpaqueObject(node: JsonNode): Readonly<Record<string, unknown>> {
  const value = asObject(node);
  if (isTooDeep(value, MAX_JSON_DEPTH)) {
    throw new TranslationError(node.path, `is nested deeper than ${MAX_JSON_DEPTH}`, "flatten it");
  }
  return value;
}

function isTooDeep(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => isTooDeep(inner, left - 1));
}

/** @throws {TranslationError} always: a kind nobody here knows. */
export function refuseKind(node: JsonNode, what: string, known: string): never {
  const name = typeof node.value === "string" ? printable(node.value, 40) : kindOf(node.value);
  throw new TranslationError(node.path, `${what} ${name} cannot be translated`, `use ${known}`);
}
