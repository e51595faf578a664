// SPDX-License-Identifier: GPL-2.0-or-later
/** Every tool. @module */

import { type Access, isOpen } from "../../remote/client/access.ts";
import { schemaOf } from "../arguments.ts";
import { SAID_SCHEMA } from "../said.ts";
import type { Tool } from "../tool.ts";
import { DEVICE_TOOLS } from "./devices.ts";
import { FILE_TOOLS } from "./files.ts";
import { JOB_TOOLS } from "./jobs.ts";
import { OPERATION_TOOLS } from "./operations.ts";
import { PLAN_TOOLS } from "./plans.ts";
import { RUN_TOOLS } from "./run.ts";
import { VM_TOOLS } from "./vms.ts";

export const TOOLS: ReadonlyMap<string, Tool> = new Map(
  [OPERATION_TOOLS, VM_TOOLS, DEVICE_TOOLS, FILE_TOOLS, RUN_TOOLS, JOB_TOOLS, PLAN_TOOLS].flat()
    .map((tool) => [tool.name, tool]),
);

/** Those that this VM may use. @param access null: dom0 has not said what that is */
export function toolsFor(access: Access | null): readonly Tool[] {
  return [...TOOLS.values()].filter(({ operations }) => {
    if (operations.length === 0) return true;
    if (access === null) return false;
    const names = operations === "any" ? [...access.keys()] : operations;
    return names.some((name) => isOpen(access, name));
  });
}

/** As tools/list has it. */
export function describeTool({ name, title, description, parameters, hints }: Tool) {
  return {
    name,
    title,
    description,
    inputSchema: schemaOf(parameters),
    outputSchema: SAID_SCHEMA,
    annotations: hints,
  };
}
