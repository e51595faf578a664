// SPDX-License-Identifier: GPL-2.0-or-later
/** Asks something of the daemon, as dom0/admin_orders answers it. @module */

import { MAX_ANSWER_BYTES, type OrderAnswer } from "../../admin_orders/order_fields.ts";
import type { JsonValue } from "../../operations/operation.ts";
import { createOrderGiver } from "../../orders/give_order.ts";
import { Dom0Error } from "./dom0_channel.ts";

export interface DaemonCaller {
  /** @throws {Dom0Error} what the daemon says, or that it does not answer */
  call(order: Readonly<Record<string, unknown>>, limitMs?: number): Promise<JsonValue>;
  close(): void;
}

/** A daemon that runs takes an order at once; what it does may take longer. */
const TAKEN_MS = 3_000;
const USUAL_LIMIT_MS = 60_000;

export function createDaemonCaller(folder: string): DaemonCaller {
  const { give, close } = createOrderGiver(folder);
  return {
    async call(order, answeredMs = USUAL_LIMIT_MS) {
      const limits = { takenMs: TAKEN_MS, answeredMs, maxAnswerBytes: MAX_ANSWER_BYTES };
      const given = await give(order, limits);
      switch (given.outcome) {
        case "answered":
          return resultOf(given.text);
        case "not taken":
          throw new Dom0Error(
            "The daemon does not answer. In dom0's terminal: systemctl status qvm-remote-dom0",
          );
        case "late":
          throw new Dom0Error("The daemon has not answered in time. See the log.");
        default:
          return given satisfies never;
      }
    },
    close,
  };
}

function resultOf(text: string): JsonValue {
  const answer: OrderAnswer = JSON.parse(text); // the daemon's own file, in a folder of root's
  if (answer.ok) return answer.value;
  throw new Dom0Error(answer.text);
}
