// SPDX-License-Identifier: GPL-2.0-or-later
/** Gives an order to the running daemon, and waits for what comes of it. @module */

import { UserError } from "../../shared/cli/program.ts";
import type { Answer } from "../approval/parking.ts";
import { readDaemonState } from "../daemon/state_file.ts";
import { createOrderGiver, type OrderLimits } from "../orders/give_order.ts";
import type { Paths } from "../settings/paths.ts";
import { MAX_ORDER_BYTES, type Order, parseAnswer } from "./order_form.ts";

/** Orders are done one after another, and before it approves the daemon asks Qubes' tools again. */
const LIMITS: OrderLimits = {
  takenMs: 60_000,
  answeredMs: 60_000,
  maxAnswerBytes: MAX_ORDER_BYTES,
};

/** @throws {UserError} if no daemon runs, or it does not answer */
export async function giveOrder(
  paths: Paths,
  order: Order,
  limits: OrderLimits = LIMITS,
): Promise<Answer> {
  if (await readDaemonState(paths) === undefined) {
    throw new UserError("the daemon does not run", [
      'see "qvm-remote-dom0 status"',
    ]);
  }
  const giver = createOrderGiver(paths.ordersFolder);
  try {
    const given = await giver.give(order, limits);
    switch (given.outcome) {
      case "answered":
        return parseAnswer(given.text);
      case "not taken":
        throw new UserError("the daemon takes no orders, so nothing was done", [
          'see "systemctl status qvm-remote-dom0"',
        ]);
      case "late":
        throw new UserError("the daemon did not answer", [
          'see "qvm-remote-dom0 audit show -n 5" for what it did',
        ]);
      default:
        return given satisfies never;
    }
  } finally {
    giver.close();
  }
}
