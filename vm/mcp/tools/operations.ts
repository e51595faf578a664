// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools: what this VM may do, and operations that have no tool of their own. @module */

import { printable } from "../../../shared/protocol/printable.ts";
import { type Access, isOpen, type KnownOperation, SHELL } from "../../remote/client/access.ts";
import { ArgumentError } from "../arguments.ts";
import { READS, RUNS, type Tool, WHY } from "../tool.ts";

export const OPERATION_TOOLS: readonly Tool[] = [
  {
    name: "access_get",
    title: "What you may do",
    description: "Which operations this VM may do (allow), which a person must approve (ask). " +
      "Call it first, and after a refusal. With family (vm, device, volume, template, host ...), " +
      "what each does and takes; with name, one with the schema of its parameters.",
    parameters: { "family?": { type: "string" }, "name?": { type: "string" } },
    hints: READS,
    operations: [],
    async call(args, desk) {
      const access = await desk.access();
      if (args.has("name")) return { status: "done", value: named(access, args.text("name")) };
      if (args.has("family")) return { status: "done", value: listOf(access, args.text("family")) };
      return { status: "done", value: summaryOf(access) };
    },
  },
  {
    name: "operation_call",
    title: "Call an operation",
    description: "Call an operation that has no tool of its own, with its parameters as values.",
    parameters: {
      name: { type: "string", maxLength: 64 },
      "values?": { type: "object", properties: {} },
      "why?": WHY,
    },
    hints: { ...RUNS, openWorldHint: false },
    operations: "any",
    call(args, desk) {
      const name = args.text("name");
      if (!/^[a-z]+(\.[a-z-]+)+$/.test(name)) {
        throw new ArgumentError("the parameter name is no operation: access_get lists them");
      }
      const pairs = Object.entries(args.values("values"))
        .map(([key, value]) => [key, String(value)] as const);
      const wrong = pairs.find(([key]) => !/^[a-z][a-z0-9_]*$/.test(key));
      if (wrong !== undefined) { // else "a=b" with "c" would be "a" with "b=c"
        throw new ArgumentError(`no operation has a parameter ${printable(wrong[0])}`);
      }
      return desk.operation(name, pairs);
    },
  },
];

function summaryOf(access: Access) {
  const namesOf = (decision: string) =>
    [...access.values()].filter((one) => one.decision === decision).map(({ name }) => name);
  return { allow: namesOf("allow"), ask: namesOf("ask"), denied: namesOf("deny").length };
}

const openOnes = (access: Access): readonly KnownOperation[] =>
  [...access.values()].filter((one) => isOpen(access, one.name) && one.name !== SHELL);

function named(access: Access, name: string): KnownOperation {
  const found = openOnes(access).find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new ArgumentError("no operation that this VM may do has that name");
}

function listOf(access: Access, family: string) {
  return openOnes(access).filter(({ name }) => name.split(".", 1)[0] === family).map(lineOf);
}

function lineOf({ name, decision, summary, parameters }: KnownOperation) {
  const { properties, required } = parameters;
  const names = Object.keys(properties).map((key) => required.includes(key) ? key : `${key}?`);
  return { name, decision, summary, parameters: names.join(" ") };
}
