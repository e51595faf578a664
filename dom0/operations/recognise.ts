// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * From what a VM sent to an operation: by the words of a command line, by a script that is nothing
 * but such words, or by name. What is recognised runs exactly the words that were given: the table
 * has read each of them, and bash would have run the same ones.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";
import { type Operation, parseValue } from "./operation.ts";
import { ParameterError, type Target, type Value } from "./parameter.ts";
import { plainWords } from "./shell_words.ts";
import { readWords, type Spelling, type Values, writeWords } from "./spelling.ts";
import { OPERATIONS } from "./table.ts";

/** An operation with its values, ready to be judged and run. */
export interface Recognised {
  readonly operation: Operation;
  readonly values: Values;
  /** The qubes or paths that it would touch; null: dom0. At least one. */
  readonly touches: readonly Target[];
  /** The argument vectors, run in this order; each begins with the program. */
  readonly argvs: readonly (readonly string[])[];
}

const SPELLINGS: ReadonlyMap<string, readonly { operation: Operation; spelling: Spelling }[]> =
  byProgram();

function byProgram(): Map<string, { operation: Operation; spelling: Spelling }[]> {
  const found = new Map<string, { operation: Operation; spelling: Spelling }[]>();
  for (const operation of OPERATIONS.values()) {
    for (const spelling of operation.spellings) {
      const known = found.get(spelling.program) ?? [];
      found.set(spelling.program, [...known, { operation, spelling }]);
    }
  }
  return found;
}

/** @returns null for words that are no operation */
export function recogniseWords(untrustedWords: readonly string[]): Recognised | null {
  for (const { operation, spelling } of SPELLINGS.get(untrustedWords[0] ?? "") ?? []) {
    const recognised = readAs(operation, spelling, untrustedWords);
    if (recognised !== null) return recognised;
  }
  return null;
}

function readAs(
  operation: Operation,
  spelling: Spelling,
  untrustedWords: readonly string[],
): Recognised | null {
  try {
    const parse = (name: string, word: string): Value => parseValue(operation, name, word);
    const values = readWords(spelling, untrustedWords, parse);
    if (values === null) return null;
    return { operation, values, touches: operation.touches(values), argvs: [untrustedWords] };
  } catch (error) {
    if (error instanceof ParameterError) return null;
    throw error;
  }
}

/** @returns null for a script that is more than the words of one operation */
export function recogniseScript(untrustedScript: string): Recognised | null {
  const words = plainWords(untrustedScript);
  return words === null ? null : recogniseWords(words);
}

/** "op NAME key=value …": what is wrong is said, for it was meant as an operation. */
export function recogniseNamed(
  untrustedName: string,
  untrustedPairs: readonly string[],
): Recognised {
  const operation = OPERATIONS.get(untrustedName);
  if (operation === undefined) {
    throw new ParameterError(`there is no operation ${printable(untrustedName)}`);
  }
  const values = new Map<string, Value>();
  for (const pair of untrustedPairs) {
    const [, key, word = ""] = /^([a-z_0-9]+)=(.*)$/su.exec(pair) ?? [];
    if (key === undefined) throw new ParameterError(`${printable(pair)} is not KEY=VALUE`);
    if (!operation.parameters.has(key)) {
      const known = [...operation.parameters.keys()].join(", ") || "none";
      throw new ParameterError(`${untrustedName} has no parameter ${key}; it has: ${known}`);
    }
    if (values.has(key)) throw new ParameterError(`${key} is given twice`);
    values.set(key, parseNamed(operation, key, word));
  }
  for (const [key, { optional }] of operation.parameters) {
    if (!optional && !values.has(key)) throw new ParameterError(`${untrustedName} needs ${key}=`);
  }
  const argvs = operation.steps.map((step) => writeWords(step, values));
  return { operation, values, touches: operation.touches(values), argvs };
}

function parseNamed(operation: Operation, key: string, untrustedWord: string): Value {
  try {
    return parseValue(operation, key, untrustedWord);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new ParameterError(`${key}: ${error.message}`);
  }
}
