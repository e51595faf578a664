// SPDX-License-Identifier: GPL-2.0-or-later
/** What a tool is, and what a call of one gets to work with. @module */

import type { RequestId } from "../../shared/protocol/request_id.ts";
import type { Access } from "../remote/client/access.ts";
import type { Arguments, Parameter, Parameters } from "./arguments.ts";
import type { Said } from "./said.ts";

/** As MCP has them: all four are said of every tool, as they are. */
export interface Hints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

export interface Tool {
  readonly name: string;
  readonly title: string;
  /** For a model: when to use it, what it costs, what happens next. */
  readonly description: string;
  readonly parameters: Parameters;
  readonly hints: Hints;
  /** Shown where this VM may call one of these, or may ask for it; none of them: always shown. */
  readonly operations: readonly string[] | "any";
  call(args: Arguments, desk: Desk): Promise<Said>;
}

export type Pairs = readonly (readonly [key: string, value: string])[];

export interface Plan {
  readonly steps: readonly Readonly<Record<string, unknown>>[];
  readonly undoOnFailure?: boolean;
}

/** Where one call is worked on. What it throws is said to the model as an error. */
export interface Desk {
  /** Calls an operation of dom0. @param data what it brings */
  operation(name: string, pairs: Pairs, data?: string): Promise<Said>;
  /** The same for one whose output is no value. */
  output(name: string, pairs: Pairs): Promise<Said>;
  /** Runs a script in dom0. @param timeoutSeconds for which it may run there */
  script(text: string, timeoutSeconds: number): Promise<Said>;
  plan(value: Plan): Promise<Said>;
  /** What would become of a plan; nobody is asked. */
  checkPlan(value: Plan): Promise<Said>;
  /** Read anew. */
  access(): Promise<Access>;
  look(id: RequestId, offset: number, isPlan?: boolean): Promise<Said>;
  wait(id: RequestId, seconds: number): Promise<Said>;
  cancel(id: RequestId): Promise<Said>;
}

export const READS: Hints = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};
export const CHANGES: Hints = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};
/** Something may be lost by it. */
export const DESTROYS: Hints = { ...CHANGES, destructiveHint: true };
/** What it does twice is done twice, and may reach the network. */
export const RUNS: Hints = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
};

/** Of each tool that changes something: Desk takes it from the call. */
export const WHY: Parameter = {
  type: "string",
  maxLength: 120,
  description: "reason, shown to the person who approves",
};

export const VM: Parameter = { type: "string", maxLength: 31, description: "name of the qube" };

/** Of the parameters that were given, under the names that an operation has for them. */
export function pairsOf(args: Arguments, names: Readonly<Record<string, string>>): Pairs {
  return Object.entries(names).filter(([name]) => args.has(name))
    .map(([name, key]) => [key, args.text(name)] as const);
}
