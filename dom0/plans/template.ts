// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A value of a plan's step: text that may contain results of earlier steps.
 *
 *     ${NAME}              all of the result of the step with that name
 *     ${NAME.KEY.KEY}      a part of it; a list's parts are counted from 0: ${qubes.0.name}
 *     $${                  the two characters "${"
 *
 * What is filled in must be one string, number or boolean. It becomes part of the word and nothing
 * else: no variables are looked for in it, and the parameter's parser reads the word as a whole.
 * Pure.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";
import type { JsonValue } from "../operations/operation.ts";

export interface Reference {
  readonly step: string;
  readonly path: readonly string[];
}

/** The texts and the references, in their order. */
export type Template = readonly (string | Reference)[];

export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

export const STEP_NAME = /^[a-z][a-z0-9_-]{0,31}$/;
const REFERENCE = /^\$\{([a-z][a-z0-9_-]{0,31})((?:\.[A-Za-z0-9_-]{1,64}){0,8})\}/;

/** @throws {TemplateError} for "${" that begins no variable */
export function parseTemplate(untrustedText: string): Template {
  const parts: (string | Reference)[] = [];
  let text = "";
  for (let rest = untrustedText; rest !== "";) {
    const at = rest.indexOf("${");
    const [variable = "", step = "", path = ""] = at < 0
      ? []
      : REFERENCE.exec(rest.slice(at)) ?? [];
    if (at < 0) return [...parts, text + rest];
    if (at > 0 && rest[at - 1] === "$") {
      text += `${rest.slice(0, at - 1)}\${`;
      rest = rest.slice(at + 2);
      continue;
    }
    if (variable === "") {
      throw new TemplateError(
        `${printable(rest.slice(at, at + 40))} is not \${NAME} or \${NAME.KEY}`,
      );
    }
    parts.push(text + rest.slice(0, at), { step, path: path.split(".").slice(1) });
    text = "";
    rest = rest.slice(at + variable.length);
  }
  return [...parts, text];
}

/** Plain text, whatever it contains. */
export function escapeTemplate(text: string): string {
  return text.replaceAll("${", () => "$${");
}

export function referencesIn(template: Template): readonly Reference[] {
  return template.filter((part) => typeof part !== "string");
}

/** As it is written in a plan. */
export function templateText(template: Template): string {
  return template.map((part) => typeof part === "string" ? part : referenceText(part)).join("");
}

export function referenceText({ step, path }: Reference): string {
  return `\${${[step, ...path].join(".")}}`;
}

/**
 * @param results of the steps that have ended, by name
 * @throws {TemplateError} for a part that does not exist or is not a single value
 */
export function fillTemplate(template: Template, results: ReadonlyMap<string, JsonValue>): string {
  return template.map((part) => typeof part === "string" ? part : textOf(part, results)).join("");
}

function textOf(reference: Reference, results: ReadonlyMap<string, JsonValue>): string {
  let value = results.get(reference.step);
  for (const key of reference.path) value = partOf(value, key);
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  const what = value === undefined
    ? "nothing"
    : value === null
    ? "no value"
    : "more than one value";
  throw new TemplateError(`${referenceText(reference)} is ${what}`);
}

function partOf(value: JsonValue | undefined, key: string): JsonValue | undefined {
  if (Array.isArray(value)) {
    return /^(0|[1-9][0-9]{0,5})$/.test(key) ? value[Number(key)] : undefined;
  }
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as { readonly [name: string]: JsonValue })[key];
}
