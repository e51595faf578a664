// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A plan: several operations that a VM asks for as one. It comes as JSON text, and every byte of it is
 * the VM's:
 *
 *     {"steps": [{"operation": "vm.create", "name": "new", "vm": "ai-7", "label": "red"},
 *                {"operation": "vm.start", "vm": "ai-7"}],
 *      "undoOnFailure": true}
 *
 * Beside "operation" and "name" a step has the parameters of its operation: strings, numbers or
 * booleans. A string may have results of earlier steps in it, see template.ts. What is wrong is said by
 * step and key. Pure.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";
import { type Operation, parseValue } from "../operations/operation.ts";
import { ParameterError, type Value } from "../operations/parameter.ts";
import { NOTHING } from "../operations/result.ts";
import type { Values } from "../operations/spelling.ts";
import { OPERATIONS } from "../operations/table.ts";
import {
  parseTemplate,
  referencesIn,
  referenceText,
  STEP_NAME,
  type Template,
  TemplateError,
  templateText,
} from "./template.ts";

export const MAX_PLAN_STEPS = 64;
/** 64 steps with a long value each; a request may have more. */
export const MAX_PLAN_CHARS = 256 * 1024;

export interface Plan {
  readonly steps: readonly PlanStep[];
  /** What was done is undone if a step fails. */
  readonly undoOnFailure: boolean;
}

export interface PlanStep {
  /** From 1 on. */
  readonly number: number;
  /** The name by which later steps use its result. */
  readonly name: string | null;
  readonly operation: Operation;
  readonly words: ReadonlyMap<string, Template>;
  /** Values with no other step's result in them. */
  readonly known: Values;
}

/** What is wrong with a plan, for whoever wrote it. */
export class PlanError extends Error {
  override readonly name = "PlanError";
}

/** @throws {PlanError} */
export function parsePlan(untrustedText: string): Plan {
  if (untrustedText.length > MAX_PLAN_CHARS) {
    throw new PlanError(`the plan has more than ${MAX_PLAN_CHARS} characters`);
  }
  const { steps, undoOnFailure, ...more } = entriesOf(parseJson(untrustedText), "the plan");
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) {
    throw new PlanError(
      `the plan has a key ${printable(unknown)}; it may have: steps, undoOnFailure`,
    );
  }
  if (!Array.isArray(steps) || steps.length === 0) {
    throw new PlanError("the plan has no list of steps");
  }
  if (steps.length > MAX_PLAN_STEPS) {
    throw new PlanError(`the plan has ${steps.length} steps; ${MAX_PLAN_STEPS} are the most`);
  }
  if (undoOnFailure !== undefined && typeof undoOnFailure !== "boolean") {
    throw new PlanError("undoOnFailure is neither true nor false");
  }
  const before: PlanStep[] = [];
  for (const [index, step] of steps.entries()) before.push(parseStep(step, index + 1, before));
  return { steps: before, undoOnFailure: undoOnFailure ?? false };
}

function parseJson(untrustedText: string): unknown {
  try {
    return JSON.parse(untrustedText);
  } catch {
    throw new PlanError("the plan is not JSON");
  }
}

/** With no key of Object's own: "__proto__" is a key as any other, and an unknown one. */
function entriesOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PlanError(`${what} is not a mapping of keys to values`);
  }
  return Object.assign(Object.create(null), Object.fromEntries(Object.entries(value)));
}

function parseStep(untrusted: unknown, number: number, before: readonly PlanStep[]): PlanStep {
  const where = `step ${number}`;
  const { operation: untrustedOperation, name, ...values } = entriesOf(untrusted, where);
  if (typeof untrustedOperation !== "string") throw new PlanError(`${where} names no operation`);
  const operation = OPERATIONS.get(untrustedOperation);
  if (operation === undefined) {
    throw new PlanError(`${where}: there is no operation ${printable(untrustedOperation)}`);
  }
  if (name !== undefined && (typeof name !== "string" || !STEP_NAME.test(name))) {
    throw new PlanError(
      `${where}: its name is not a word of a-z, 0-9, "_" and "-" that begins with a letter`,
    );
  }
  if (name !== undefined && before.some((step) => step.name === name)) {
    throw new PlanError(`${where}: an earlier step has the name ${name}`);
  }
  const words = new Map<string, Template>();
  const known = new Map<string, Value>();
  for (const [key, value] of Object.entries(values)) {
    const template = parseWord(operation, key, value, where);
    for (const { step } of referencesIn(template)) requireResult(step, before, `${where}: ${key}`);
    words.set(key, template);
    if (referencesIn(template).length === 0) {
      known.set(key, parseKnown(operation, key, templateText(template), where));
    }
  }
  for (const [key, { optional }] of operation.parameters) {
    if (optional || words.has(key)) continue;
    throw new PlanError(`${where}: ${operation.name} needs ${key}`);
  }
  return { number, name: name ?? null, operation, words, known };
}

function parseWord(operation: Operation, key: string, value: unknown, where: string): Template {
  if (!operation.parameters.has(key)) {
    const known = [...operation.parameters.keys()].join(", ") || "none";
    throw new PlanError(
      `${where}: ${operation.name} has no parameter ${printable(key)}; it has: ${known}`,
    );
  }
  if (typeof value === "number" || typeof value === "boolean") return [String(value)];
  if (typeof value !== "string") {
    throw new PlanError(`${where}: ${key} is not a string, number or boolean`);
  }
  try {
    return parseTemplate(value);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new PlanError(`${where}: ${key}: ${error.message}`);
  }
}

function requireResult(name: string, before: readonly PlanStep[], where: string): void {
  const step = before.find((one) => one.name === name);
  const variable = referenceText({ step: name, path: [] });
  if (step === undefined) {
    throw new PlanError(`${where}: no earlier step has the name in ${variable}`);
  }
  if (step.operation.result === NOTHING) {
    throw new PlanError(`${where}: ${variable}: ${step.operation.name} has no result`);
  }
}

function parseKnown(operation: Operation, key: string, word: string, where: string): Value {
  try {
    return parseValue(operation, key, word);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new PlanError(`${where}: ${key}: ${error.message}`);
  }
}

/** Whether all its values are known before the plan runs. */
export function isKnown({ words, known }: PlanStep): boolean {
  return words.size === known.size;
}

/** The parameters that nobody can see before the plan runs. */
export function unseenIn({ words, known }: PlanStep): readonly string[] {
  return [...words.keys()].filter((key) => !known.has(key));
}

/**
 * Whether approving the plan approves this step: not one that destroys something or ends somebody's
 * work, if the person could not see its values.
 */
export function canBeApproved(step: PlanStep): boolean {
  return !step.operation.destructive || unseenIn(step).length === 0;
}

/** "step 2 (new): vm.create vm=ai-7 label=red", for people: still the VM's text. */
export function stepText(step: PlanStep): string {
  const { number, name, operation, words, known } = step;
  const values = [...words].map(([key, template]) =>
    `${key}=${templateText(template)}${known.has(key) ? "" : " (known only when it runs)"}`
  );
  const called = name === null ? "" : ` (${name})`;
  return `step ${number}${called}: ${[operation.name, ...values].join(" ")}`;
}
