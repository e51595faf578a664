// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A plan as a person writes it, in YAML or in JSON (the YAML parser reads both, and refuses repeated
 * keys), as the JSON text that dom0 reads. dom0 decides what a valid plan is. Pure.
 *
 * @module
 */

import { UserError } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";

/** Aliases repeat what they name: a few lines can stand for more than any memory holds. */
const MAX_VALUES = 20_000;
const MAX_DEPTH = 32;

/** @std/yaml's. */
export type ParseYaml = (text: string, options: { readonly schema: "core" }) => unknown;

/** @throws {UserError} what JSON cannot say */
export function planText(
  source: string,
  parse: ParseYaml,
  options: { readonly undoOnFailure: boolean },
): string {
  const value = checked(parsed(source, parse));
  const plan = Array.isArray(value) ? { steps: value } : value;
  if (typeof plan !== "object" || plan === null) {
    throw new UserError("the plan is neither a list of steps nor a mapping");
  }
  return JSON.stringify(options.undoOnFailure ? { ...plan, undoOnFailure: true } : plan);
}

/** The operations of its steps, as far as it has any: dom0 refuses it otherwise. @param text of planText() */
export function operationsIn(text: string): readonly string[] {
  const { steps } = JSON.parse(text);
  return Array.isArray(steps) ? steps.map((step) => String(step?.operation)) : [];
}

function parsed(source: string, parse: ParseYaml): unknown {
  try {
    return parse(source, { schema: "core" });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const [why = ""] = error.message.split("\n", 1);
    throw new UserError(`the plan is neither YAML nor JSON: ${printable(why, 200)}`);
  }
}

function checked(value: unknown): unknown {
  let values = 0;
  const check = (part: unknown, depth: number): void => {
    if (++values > MAX_VALUES || depth > MAX_DEPTH) {
      throw new UserError(
        `the plan is too large: more than ${MAX_VALUES} values, or ${MAX_DEPTH} levels`,
      );
    }
    if (typeof part === "number") checkNumber(part);
    else if (typeof part === "object" && part !== null) {
      for (const inner of Object.values(part)) check(inner, depth + 1);
    }
  };
  check(value, 1);
  return value;
}

/** A number that JSON would change is not sent. */
function checkNumber(value: number): void {
  if (Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value)) return;
  throw new UserError(`the plan has a number that JSON cannot keep: ${value}`, [
    "write it in quotes",
  ]);
}
