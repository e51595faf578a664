// SPDX-License-Identifier: GPL-2.0-or-later
/** JSON Schemas in the form that providers accept. An unchanged schema is returned as the same object. @module */

import { isObject } from "../../../settings/shape.ts";
import { MAX_JSON_DEPTH } from "../json_node.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Keywords whose value is a schema, a list of schemas, or a record of schemas. */
const ONE = ["additionalProperties", "items", "not", "if", "then", "else", "contains"];
const MANY = ["anyOf", "oneOf", "allOf", "prefixItems"];
const NAMED = ["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"];

/** Maps all inner schemas, then the schema itself. Those nested too deeply stay unchanged. */
function mapSchemas(schema: Schema, change: (schema: Schema) => Schema, depth = 0): Schema {
  if (depth > MAX_JSON_DEPTH) return schema;
  let made: Record<string, unknown> | undefined;
  const set = (key: string, value: unknown): void => {
    if (value !== schema[key]) (made ??= { ...schema })[key] = value;
  };
  const inner = (value: unknown): unknown =>
    isObject(value) ? mapSchemas(value, change, depth + 1) : value;
  for (const key of ONE) if (isObject(schema[key])) set(key, inner(schema[key]));
  for (const key of MANY) {
    const list = schema[key];
    if (!Array.isArray(list)) continue;
    const next = list.map(inner);
    if (next.some((value, i) => value !== list[i])) set(key, next);
  }
  for (const key of NAMED) {
    const named = schema[key];
    if (!isObject(named)) continue;
    const next = Object.fromEntries(Object.entries(named).map(([k, value]) => [k, inner(value)]));
    if (Object.keys(next).some((name) => next[name] !== named[name])) set(key, next);
  }
  return change(made ?? schema);
}

const isObjectType = ({ type }: Schema): boolean =>
  type === "object" || (Array.isArray(type) && type.includes("object"));

const lacksProperties = (one: Schema): boolean =>
  isObjectType(one) && one["properties"] === undefined;

/** OpenAI: "object schema missing properties". */
export function withProperties(schema: Schema): Schema {
  if (!isAnywhere(schema, lacksProperties)) return schema;
  return mapSchemas(schema, (one) => lacksProperties(one) ? { ...one, properties: {} } : one);
}

/** Checks before anything is copied: each request carries some hundred schemas, nearly all of them fine. */
function isAnywhere(value: Schema, test: (one: Schema) => boolean, depth = 0): boolean {
  if (test(value)) return true;
  if (depth > MAX_JSON_DEPTH) return false;
  for (const key of Object.keys(value)) {
    const inner = value[key];
    if (typeof inner !== "object" || inner === null) continue;
    if (isAnywhere(inner as Schema, test, depth + 1)) return true; // a list is its own keys
  }
  return false;
}

/**
 * Keywords that Anthropic's structured outputs reject ("JSON Schema limitations"): moved into the
 * description, as Anthropic's own SDKs do.
 */
const LIMITS = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
  "contains",
  "minContains",
  "maxContains",
  "patternProperties",
  "propertyNames",
  "if",
  "then",
  "else",
  "not",
  "dependentRequired",
  "dependentSchemas",
  "unevaluatedProperties",
];
const FORMATS: ReadonlySet<unknown> = new Set([
  "date",
  "date-time",
  "time",
  "duration",
  "email",
  "hostname",
  "uri",
  "ipv4",
  "ipv6",
  "uuid",
]);

export const forAnthropicOutput = (schema: Schema): Schema => mapSchemas(schema, anthropicOutput);

function anthropicOutput(schema: Schema): Schema {
  const taken = LIMITS.filter((key) => schema[key] !== undefined);
  if (schema["format"] !== undefined && !FORMATS.has(schema["format"])) taken.push("format");
  if (typeof schema["minItems"] === "number" && schema["minItems"] > 1) taken.push("minItems");
  const opens = isObjectType(schema) && schema["additionalProperties"] !== false;
  const names = schema["oneOf"] !== undefined && schema["anyOf"] === undefined;
  if (taken.length === 0 && !opens && !names) return schema;
  const made: Record<string, unknown> = { ...schema };
  if (opens) made["additionalProperties"] = false;
  if (names) {
    made["anyOf"] = made["oneOf"];
    delete made["oneOf"];
  }
  if (taken.length > 0) {
    const said = taken.map((key) => `${key}: ${JSON.stringify(schema[key])}`).join(", ");
    const text = typeof schema["description"] === "string" ? `${schema["description"]} ` : "";
    made["description"] = `${text}{${said}}`;
    for (const key of taken) delete made[key];
  }
  return made;
}

/** Whether OpenAI accepts it in strict mode: all objects closed, all properties required. */
export function isStrict(schema: Schema): boolean {
  let strict = true;
  mapSchemas(schema, (one) => {
    if (!isObjectType(one)) return one;
    const names = Object.keys(isObject(one["properties"]) ? one["properties"] : {});
    const required: unknown = one["required"] ?? [];
    strict &&= one["additionalProperties"] === false && Array.isArray(required) &&
      names.every((name) => required.includes(name));
    return one;
  });
  return strict;
}
