// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The one table of operations: everything that dom0 does by name. Whatever is not in it counts as the
 * operation "shell", which is not in the table itself.
 *
 * @module
 */

import { BACKUP } from "./backup.ts";
import { DEVICES } from "./devices.ts";
import { EVENTS } from "./events.ts";
import { FILE_TRANSFERS } from "./file_transfers.ts";
import { FILES } from "./files.ts";
import { FIREWALL } from "./firewall.ts";
import { OPENCLAW } from "./openclaw.ts";
import { defineOperation, type Level, type Operation } from "./operation.ts";
import type { JsonSchema } from "./parameter.ts";
import { STORAGE } from "./storage.ts";
import { SYSTEM } from "./system.ts";
import { CHANGES } from "./undo.ts";
import { VM_LIFE } from "./vm_life.ts";
import { VM_RUN } from "./vm_run.ts";
import { VM_SETTINGS } from "./vm_settings.ts";

const FAMILIES = [
  VM_LIFE,
  VM_SETTINGS,
  FIREWALL,
  DEVICES,
  VM_RUN,
  STORAGE,
  SYSTEM,
  EVENTS,
  BACKUP,
  OPENCLAW,
  FILES,
  FILE_TRANSFERS,
];

export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  FAMILIES.flatMap((family) => Object.entries(family))
    .map(([name, definition]) => [name, defineOperation(name, definition)]),
);

/** The name for everything else: a script, or words that match no operation. */
export const SHELL = "shell";

/** An operation as plain data, for VMs that ask: no parser, nothing internal to dom0. */
export interface OperationDescription {
  readonly name: string;
  readonly summary: string;
  readonly level: Level;
  readonly destructive: boolean;
  readonly canBeUndone: boolean;
  readonly since: string;
  readonly timeoutSeconds: number;
  /** JSON Schema of the parameters, an object. */
  readonly parameters: JsonSchema;
  /** JSON Schema of the result. */
  readonly result: JsonSchema;
}

export function describeOperation(operation: Operation): OperationDescription {
  const { name, summary, level, destructive, since, timeoutSeconds } = operation;
  const parameters = [...operation.parameters];
  return {
    name,
    summary,
    level,
    destructive,
    since,
    timeoutSeconds,
    canBeUndone: CHANGES.has(name),
    parameters: {
      type: "object",
      properties: Object.fromEntries(
        parameters.map(([key, { schema, summary }]) => [key, { ...schema, description: summary }]),
      ),
      required: parameters.filter(([, { optional }]) => !optional).map(([key]) => key),
      additionalProperties: false,
    },
    result: operation.result.schema,
  };
}
