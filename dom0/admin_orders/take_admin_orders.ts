// SPDX-License-Identifier: GPL-2.0-or-later
/** The orders of the web admin, as the daemon takes them: side by side. @module */

import { errorText } from "../../shared/cli/program.ts";
import type { JsonValue } from "../operations/operation.ts";
import { takeOrders } from "../orders/take_orders.ts";
import { MAX_ORDER_BYTES, type OrderAnswer, type OrderFields, readOrder } from "./order_fields.ts";

/** @throws what it throws is told to whoever gave the order */
export type DoOrder = (order: OrderFields) => Promise<JsonValue>;

/** More wait: a page asks for a dozen things, an order may take an hour and holds up no other. */
const MOST_AT_ONCE = 64;

/** @returns ends the taking */
export function takeAdminOrders(folder: string, doOrder: DoOrder): () => void {
  return takeOrders({
    folder,
    maxOrderBytes: MAX_ORDER_BYTES,
    mostAtOnce: MOST_AT_ONCE,
    answer: (text) => answerTo(text, doOrder),
  });
}

async function answerTo(text: string, doOrder: DoOrder): Promise<OrderAnswer> {
  try {
    return { ok: true, value: await doOrder(readOrder(text)) };
  } catch (error) {
    return { ok: false, text: errorText(error) };
  }
}
