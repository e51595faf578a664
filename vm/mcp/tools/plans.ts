// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools: several operations that a person approves as one. @module */

import { DESTROYS, type Tool, WHY } from "../tool.ts";

const MAX_STEPS = 100;

export const PLAN_TOOLS: readonly Tool[] = [
  {
    name: "plan_submit",
    title: "Submit a plan",
    description: "Run several operations in order as one request with one approval, up to the " +
      "first that fails. Each step has operation and its parameters (see access_get); with a " +
      "name, later steps use its result as ${name.key}. checkOnly says what would happen.",
    parameters: {
      steps: {
        type: "array",
        maxItems: MAX_STEPS,
        items: {
          type: "object",
          properties: { operation: { type: "string" }, name: { type: "string" } },
          required: ["operation"],
        },
      },
      "undoOnFailure?": { type: "boolean" },
      "checkOnly?": { type: "boolean" },
      "why?": WHY,
    },
    hints: { ...DESTROYS, idempotentHint: false },
    operations: "any",
    call(args, desk) {
      const undo = args.flag("undoOnFailure") ? { undoOnFailure: true } : {};
      const plan = { steps: args.list("steps"), ...undo };
      return args.flag("checkOnly") ? desk.checkPlan(plan) : desk.plan(plan);
    },
  },
];
