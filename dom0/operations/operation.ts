// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What an operation is: something that dom0 does, with a name, a level and typed parameters, as
 * the argument vectors of Qubes' own tools. No operation starts a shell in dom0.
 *
 * A family of operations is one file beside this one; table.ts joins them.
 *
 * @module
 */

import { operationSeconds } from "../../shared/protocol/operation_time.ts";
import {
  type JsonSchema,
  type Parameter,
  parsePath,
  type Target,
  type Value,
} from "./parameter.ts";
import { parametersOf, parseSpelling, type Spelling, type Values } from "./spelling.ts";
import type { View } from "./view.ts";

/** "monitor" reads. "manage" makes changes that Qubes' tools can reverse, or confirm first.
 * "full" may run anything, or decides who may. */
export type Level = "monitor" | "manage" | "full";
export const LEVELS: readonly Level[] = ["monitor", "manage", "full"];

export interface Operation {
  /** "vm.prefs.set": family first, what is done last. */
  readonly name: string;
  readonly summary: string;
  readonly level: Level;
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** The qubes it would touch, including any that its values merely mention, or the paths; dom0 for
   * none. @throws {ParameterError} if a value should name a qube and does not */
  readonly touches: (values: Values) => readonly Target[];
  /** Run in this order, each only if the one before ended with 0. Most have one. */
  readonly steps: readonly Spelling[];
  /** Other command lines that mean this operation; if it has a single step, that one does, too. */
  readonly spellings: readonly Spelling[];
  readonly timeoutSeconds: number;
  /** Whether it reads what a request brings, on stdin. */
  readonly data: "none" | "may" | "must";
  /** It loses something that undo cannot bring back, or that somebody is working with. */
  readonly destructive: boolean;
  /** Its result is about many qubes: each is decided about separately, and hidden ones are left out. */
  readonly lists: boolean;
  readonly result: Result;
  /** Where it exists only from a release of Qubes on. */
  readonly since: "4.2" | "4.3";
  /** Only dom0's operator may do it: no rule gives it to a VM. */
  readonly isForOperator: boolean;
}

/** How the output of the last step becomes a value, and what of it a VM may see. */
export interface Result {
  readonly schema: JsonSchema;
  /** @param text what the tool printed @throws {ResultError} if it does not have the expected form */
  readonly parse: (text: string) => JsonValue;
  /** The text that the tool would print for the value. */
  readonly format: (value: JsonValue) => string;
  /** Leaves out what is about qubes that may not be seen, and their names. */
  readonly keepVisible: (value: JsonValue, view: View) => JsonValue;
}

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The tool's output does not have the form that the table gives. */
export class ResultError extends Error {
  override readonly name = "ResultError";
}

/** What a family's file says about an operation; everything else has a default. */
export interface Definition {
  readonly summary: string;
  readonly level: Level;
  readonly parameters?: Readonly<Record<string, Parameter>>;
  /** Qubes that it touches besides those that its parameters name. */
  readonly alsoTouches?: (values: Values) => readonly Target[];
  /** The usage line to run, or several to run one after another. */
  readonly run: string | readonly string[];
  /** More usage lines that are read as this operation. */
  readonly alsoSpelled?: readonly string[];
  readonly data?: Operation["data"];
  readonly destructive?: boolean;
  readonly lists?: boolean;
  readonly result: Result;
  readonly since?: "4.2" | "4.3";
  readonly isForOperator?: boolean;
}

/** Makes an operation from its definition. A definition that contradicts itself is a bug. */
export function defineOperation(name: string, definition: Definition): Operation {
  const { summary, level, run, alsoSpelled = [], result } = definition;
  const parameters = new Map(Object.entries(definition.parameters ?? {}));
  const steps = (typeof run === "string" ? [run] : run).map(parseSpelling);
  const spellings = [...steps.length === 1 ? steps : [], ...alsoSpelled.map(parseSpelling)];
  for (const spelling of [...steps, ...spellings]) {
    for (const parameter of parametersOf(spelling)) {
      if (!parameters.has(parameter)) throw new Error(`bug: ${name}: no parameter ${parameter}`);
    }
  }
  const touches = (values: Values): readonly Target[] => {
    const named = [...values].flatMap(([key, value]): readonly Target[] => {
      const parameter = parameters.get(key);
      return parameter?.isPath ? [parsePath(String(value))] : parameter?.qubesIn?.(value) ?? [];
    });
    const all = new Set([...named, ...definition.alsoTouches?.(values) ?? []]);
    return all.size === 0 ? [null] : [...all];
  };
  return {
    name,
    summary,
    level,
    parameters,
    touches,
    steps,
    spellings,
    result,
    timeoutSeconds: operationSeconds(name),
    data: definition.data ?? "none",
    destructive: definition.destructive ?? false,
    lists: definition.lists ?? false,
    since: definition.since ?? "4.2",
    isForOperator: definition.isForOperator ?? false,
  };
}

/** Whether it is done to paths, and to no qube. */
export function isAboutPaths({ parameters }: Operation): boolean {
  return [...parameters.values()].some((parameter) => parameter.isPath);
}

/** @throws {ParameterError} */
export function parseValue(operation: Operation, name: string, untrustedWord: string): Value {
  const parameter = operation.parameters.get(name);
  if (parameter === undefined) throw new Error(`bug: ${operation.name} has no ${name}`);
  return parameter.parse(untrustedWord);
}
