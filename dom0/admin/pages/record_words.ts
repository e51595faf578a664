// SPDX-License-Identifier: GPL-2.0-or-later
/** A record in the words of a page: who, what, and how it ended. @module */

import type { AuditFields } from "../../record/audit_chain.ts";
import { isFailure } from "../../record/record_failure.ts";
import { createRequestHistory, type PastRequest } from "../../record/request_history.ts";
import type { OutcomeKind } from "../../../shared/protocol/outcome.ts";
import type { View } from "../admin_context.ts";
import type { AuditRecord } from "../channel/dom0_channel.ts";
import { type Content, type Html, markup } from "../markup/markup.ts";
import { qube, state } from "./parts.ts";

/** How a request ends that did not end by itself. */
const ENDS: Readonly<Record<Exclude<OutcomeKind, "done">, string>> = {
  "refused": "Refused",
  "timeout": "Timed out",
  "cancelled": "Cancelled",
  "interrupted": "Interrupted",
  "revoked": "Revoked",
  "locked-down": "Locked down",
  "stopping": "Daemon stopped",
  "output-limit": "Too much output",
  "process-limit": "Too many processes",
  "memory-limit": "Too much memory",
  "bad-stream": "Bad stdin",
  "not-stored": "Not stored",
};
const END_WORDS: ReadonlyMap<string, string> = new Map(Object.entries(ENDS));

export function isFailed({ event, fields }: AuditRecord): boolean {
  return isFailure(event, fields["exit"]);
}

/** Whose it is; dom0's own are "dom0". */
export function recordQube(view: View, { fields }: AuditRecord): Content {
  const { vm } = fields;
  return typeof vm === "string" ? qube(view, vm) : markup`<span class="soft">dom0</span>`;
}

/** Requests, by VM and id. */
export type Asked = ReadonlyMap<string, PastRequest>;

/** @param records newest first */
export function askedIn(records: readonly AuditRecord[]): Asked {
  const history = createRequestHistory();
  for (const { seq, time, event, fields } of records.toReversed()) {
    history.add({ ...fields as AuditFields, seq, time, event });
  }
  return new Map(history.requests().map((one) => [`${one.vm} ${one.id}`, one]));
}

export function askedOf(asked: Asked, vm: string, id: string): PastRequest | undefined {
  return asked.get(`${vm} ${id}`);
}

export function recordWhat({ event, fields, asked }: AuditRecord): string {
  const what = [fields["operation"], asked, fields["command"], fields["action"]]
    .find((one) => one !== undefined && one !== "") ?? fields["problem"];
  return typeof what === "string" && what !== "" ? what : event;
}

/** The end with its ground: "Refused. bad-mac". */
export function endOf(record: AuditRecord): Html {
  const { event, fields } = record;
  const { exit, reason, problem, error } = fields;
  const ground = [reason, error, problem].find((one) => typeof one === "string");
  if (event === "done") {
    return exit === 0 ? state("ok", "exit 0") : state("bad", `exit ${String(exit ?? "?")}`);
  }
  if (event === "operator") return endOfAction(record);
  const word = END_WORDS.get(event) ?? event;
  const look = event === "refused" || event === "cancelled"
    ? "wait"
    : isFailed(record)
    ? "bad"
    : "off";
  return markup`${state(look, word)}${
    typeof ground === "string" && markup` <span class="soft">${ground}</span>`
  }`;
}

/** What an operator did, by whom: "ran, by web s-3". */
function endOfAction({ fields }: AuditRecord): Html {
  const { action, by, exit } = fields;
  const who = typeof by === "string" && markup` <span class="soft">by ${by}</span>`;
  const word = typeof action === "string" ? action : "did";
  if (typeof exit !== "number") return markup`${state("off", word)}${who}`;
  return markup`${exit === 0 ? state("ok", "exit 0") : state("bad", `exit ${exit}`)}${who}`;
}
