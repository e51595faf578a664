// SPDX-License-Identifier: GPL-2.0-or-later
/** Gives an order to the running daemon, and waits for what comes of it. @module */

import { ifPresent, readSmallText, writeAtomically } from "../../shared/io/files.ts";
import { watchFolders } from "../../shared/io/folder_watch.ts";
import { UserError } from "../../shared/io/program.ts";
import { within } from "../../shared/io/timing.ts";
import type { Answer } from "../approval/parking.ts";
import { readDaemonState } from "../daemon/state_file.ts";
import type { Paths } from "../settings/paths.ts";
import { MAX_ORDER_BYTES, type Order, parseAnswer } from "./order_form.ts";

/** It asks Qubes' tools again before it approves. */
const ANSWER_LIMIT_MS = 60_000;

/** @throws {UserError} if no daemon runs, or it does not answer: then the order is taken back */
export async function giveOrder(paths: Paths, order: Order): Promise<Answer> {
  if (await readDaemonState(paths) === undefined) {
    throw new UserError("the daemon does not run, so nothing waits for an answer", [
      'see "qvm-remote-dom0 status"',
    ]);
  }
  const name = crypto.randomUUID().replaceAll("-", "");
  const base = `${paths.ordersFolder}/${name}`;
  const answered = Promise.withResolvers<void>();
  const watch = watchFolders([paths.ordersFolder], ({ paths: changed }) => {
    if (changed.some((path) => path.endsWith(`${name}.answer`))) answered.resolve();
  });
  try {
    await writeAtomically(`${base}.order`, JSON.stringify(order) + "\n");
    await within(ANSWER_LIMIT_MS, answered.promise);
    const text = await ifPresent(readSmallText(`${base}.answer`, MAX_ORDER_BYTES));
    if (text !== undefined) return parseAnswer(text);
    throw new UserError("the daemon did not answer", [
      'see "qvm-remote-dom0 audit show -n 5" for what it did',
    ]);
  } finally {
    watch.close();
    await ifPresent(Deno.remove(`${base}.order`)); // not taken: it must not be done later
    await ifPresent(Deno.remove(`${base}.answer`));
  }
}
