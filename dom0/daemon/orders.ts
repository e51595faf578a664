// SPDX-License-Identifier: GPL-2.0-or-later
/** The operator's orders: read, done one after another, answered. @module */

import { errorText } from "../../shared/cli/program.ts";
import type { Answer, Parking } from "../approval/parking.ts";
import { MAX_ORDER_BYTES, type Order, parseOrder } from "../operator/order_form.ts";
import { OrderError } from "../orders/order_file.ts";
import { takeOrders } from "../orders/take_orders.ts";
import type { CancelRequest } from "../judge/cancel_request.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import type { Drain } from "./draining.ts";

export type DoOrder = (order: Order) => Promise<Answer>;

/** @returns ends the taking */
export function takeOperatorOrders(folder: string, doOrder: DoOrder): () => void {
  return takeOrders({
    folder,
    maxOrderBytes: MAX_ORDER_BYTES,
    mostAtOnce: 1,
    answer: (text) => answerTo(text, doOrder),
  });
}

async function answerTo(text: string, doOrder: DoOrder): Promise<Answer> {
  try {
    return await doOrder(parseOrder(text));
  } catch (error) {
    const isFault = error instanceof OrderError;
    return { ok: false, text: `${isFault ? "it is no order" : "failed"}: ${errorText(error)}` };
  }
}

/** What the daemon does for its operator. */
export function ordersFor(
  { parking, audit, drain, cancel, onChange }: {
    readonly parking: Parking;
    readonly audit: Audit;
    readonly drain: Drain;
    readonly cancel: CancelRequest;
    readonly onChange: () => void;
  },
): DoOrder {
  return async (order) => {
    switch (order.order) {
      case "approve":
        return await parking.approve(order.what, order.by);
      case "deny":
        return await parking.deny(order.what, order.by);
      case "revoke-grant": {
        const grant = parking.grants.revoke(order.grant);
        if (grant === null) return { ok: false, text: `there is no grant ${order.grant}` };
        const { number, vm, operation, targets } = grant;
        const fields = { grant: number, vm, operation, targets, approver: order.by.user };
        recordQuietly(audit, "grant-revoked", fields);
        onChange();
        return { ok: true, text: `grant ${number} is ended` };
      }
      case "cancel":
        return await cancel(order.what, order.by.user);
      case "drain":
        return await drain(order.lease, order.by.user);
      default:
        return order satisfies never;
    }
  };
}
