// SPDX-License-Identifier: GPL-2.0-or-later
/** The operator's orders, as the daemon takes them: each once, one after another. @module */

import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../shared/io/files.ts";
import { errorText } from "../../shared/io/program.ts";
import { isPresent, removeIfPresent } from "../../shared/io/sync_files.ts";
import { serialised } from "../../shared/io/timing.ts";
import type { Answer, Parking } from "../approval/parking.ts";
import {
  MAX_ORDER_BYTES,
  type Order,
  ORDER_FILE,
  OrderError,
  parseOrder,
} from "../operator/order_form.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import { watchFolder } from "../settings/folder_watch.ts";

export type DoOrder = (order: Order) => Promise<Answer>;

/** @returns ends the taking. Orders that lie there already were given to another daemon. */
export function takeOrders(folder: string, doOrder: DoOrder): () => void {
  if (isPresent(folder)) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const takeAll = serialised(
    async () => {
      for (const { name } of Deno.readDirSync(folder)) {
        const id = ORDER_FILE.exec(name)?.[1];
        if (id !== undefined) await takeOne(`${folder}/${id}`, doOrder);
      }
    },
    (error) => console.error(`orders: ${errorText(error)}`),
  );
  return watchFolder(folder, ({ names, incomplete }) => {
    if (incomplete || [...names].some((name) => ORDER_FILE.test(name))) void takeAll();
  });
}

/** Removed before it is done: whatever happens, it is not done twice. */
async function takeOne(base: string, doOrder: DoOrder): Promise<void> {
  const text = readOwn(`${base}.order`);
  if (!removeIfPresent(`${base}.order`) || text === null) return;
  const answer = await answerTo(text, doOrder);
  Deno.writeTextFileSync(`${base}.new`, JSON.stringify(answer) + "\n", { mode: PRIVATE_FILE });
  Deno.renameSync(`${base}.new`, `${base}.answer`);
}

/** null: it is none that was written here as one. */
function readOwn(path: string): string | null {
  const { isFile, uid, size } = Deno.lstatSync(path);
  if (!isFile || uid !== Deno.uid() || size > MAX_ORDER_BYTES) return null;
  return Deno.readTextFileSync(path);
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
export function ordersFor(parking: Parking, audit: Audit, onChange: () => void): DoOrder {
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
      default:
        return order satisfies never;
    }
  };
}
