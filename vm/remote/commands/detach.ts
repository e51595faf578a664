// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that is sent and left to itself, and the lines about it that stay in this VM. @module */

import { utf8 } from "../../../shared/protocol/bytes.ts";
import { type Command, describeCommand, encodeCommand } from "../../../shared/protocol/command.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { Exchange } from "../client/exchange.ts";
import { archiveCommand } from "../files/archive.ts";
import { audit } from "../files/audit_log.ts";
import type { Layout } from "../files/layout.ts";
import { attempt } from "../files/local_failure.ts";

const MAX_LOGGED_CHARS = 100;

/** Sends what was made with a detachedForm. @returns what holds it, if it is to be held */
export async function sendDetached(
  layout: Layout,
  exchange: Exchange,
  command: Command,
): Promise<Disposable> {
  const file = await exchange.publish();
  auditSubmit(layout, exchange.id, command);
  attempt(() => archiveCommand(layout, exchange.id, keptText(command)));
  return file;
}

export function auditSubmit(layout: Layout, id: RequestId, command: Command): void {
  const shown = printable(describeCommand(command), MAX_LOGGED_CHARS);
  audit(layout, `SUBMIT id=${id} size=${encodeCommand(command).length}B cmd=${shown}`);
}

/** As a person would type it, or the whole script. */
export function keptText(command: Command): Uint8Array {
  if (command.mode === "script") return command.script;
  if (command.mode === "plan") return utf8(command.text);
  return utf8((command.mode === "op" ? "op " : "") + describeCommand(command));
}
