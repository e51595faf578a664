// SPDX-License-Identifier: GPL-2.0-or-later
/** What is there of the part that an operation changes: read by an operation that only reads. @module */

import type { Values } from "../operations/spelling.ts";
import { OPERATIONS } from "../operations/table.ts";
import { CHANGES } from "../operations/undo.ts";
import type { ReadOperation } from "../run/read_operation.ts";
import type { Seen } from "./undo_record.ts";
import { valuesForReading } from "./way_back.ts";

/** @returns null if the operation changes nothing that can be undone, or it cannot be read */
export async function readPart(
  operation: string,
  values: Values,
  read: ReadOperation,
): Promise<Seen> {
  const change = CHANGES.get(operation);
  const reader = OPERATIONS.get(change?.reads ?? "");
  if (change === undefined || reader === undefined) return null;
  try {
    const found = await read(reader.name, valuesForReading(reader.parameters.keys(), values));
    return { value: change.part(found, values) };
  } catch {
    return null; // no such qube, a tool that is not there: then there is no way back to it
  }
}
