// SPDX-License-Identifier: GPL-2.0-or-later
/** What dom0 says now of what a staged change is about. @module */

import { settingText } from "../../admin_orders/setting_text.ts";
import { parseValue } from "../../operations/operation.ts";
import { OPERATIONS } from "../../operations/table.ts";
import { CHANGES } from "../../operations/undo.ts";
import { type Asker, type Dom0Channel, Dom0Error, orProblem } from "../channel/dom0_channel.ts";
import type { StagedChange } from "./staged_change.ts";

/** In the words of the list; null if it cannot be read. */
export async function currentValue(
  channel: Pick<Dom0Channel, "run">,
  { operation, values }: StagedChange,
  by: Asker,
): Promise<string | null> {
  const known = OPERATIONS.get(operation);
  const of = CHANGES.get(operation);
  if (known === undefined || of === undefined) throw new Error(`bug: ${operation} is not staged`);
  const reads = OPERATIONS.get(of.reads);
  const toRead = Object.fromEntries(
    Object.entries(values).filter(([name]) => reads?.parameters.has(name) === true),
  );
  const parsed = new Map(
    Object.entries(values).map(([name, word]) => [name, parseValue(known, name, word)]),
  );
  const read = await orProblem(channel.run(of.reads, toRead, by));
  if (read instanceof Dom0Error || read.exitCode !== 0) return null;
  return settingText(operation, values, of.part(read.value, parsed));
}
