// SPDX-License-Identifier: GPL-2.0-or-later
/** What the operator may order of the running daemon, and how it is read. @module */

import type { Answer, Approve, Approver, Deny } from "../approval/parking.ts";
import { OrderError } from "../orders/order_file.ts";

/** Far larger than any order. */
export const MAX_ORDER_BYTES = 16 * 1024;
/** The longest grant: for longer ones there is the policy. */
export const MAX_GRANT_SECONDS = 24 * 3600;
export const MAX_REASON_CHARS = 200;

export type Order =
  | { readonly order: "approve"; readonly by: Approver; readonly what: Approve }
  | { readonly order: "deny"; readonly by: Approver; readonly what: Deny }
  | { readonly order: "revoke-grant"; readonly by: Approver; readonly grant: number }
  | {
    readonly order: "cancel";
    readonly by: Approver;
    readonly what: { readonly vm: string; readonly id: string };
  }
  | { readonly order: "drain"; readonly by: Approver; readonly lease: string };

/** Read strictly although root wrote it: an order is done whole or not at all. @throws {OrderError} */
export function parseOrder(text: string): Order {
  const value = fieldsOf(parseJson(text));
  const by = approverOf(value["by"]);
  switch (value["order"]) {
    case "approve":
      return { order: "approve", by, what: approveOf(fieldsOf(value["what"])) };
    case "deny":
      return { order: "deny", by, what: denyOf(fieldsOf(value["what"])) };
    case "revoke-grant":
      return { order: "revoke-grant", by, grant: numberOf(value["grant"], 1, 2 ** 31) };
    case "cancel": {
      const { vm, id } = fieldsOf(value["what"]);
      return { order: "cancel", by, what: { vm: textOf(vm), id: textOf(id) } };
    }
    case "drain":
      return { order: "drain", by, lease: leaseOf(value["lease"]) };
    default:
      throw new OrderError("an unknown order");
  }
}

function approveOf(fields: Fields): Approve {
  const { forSeconds } = fields;
  return {
    ...nameOf(fields),
    forSeconds: forSeconds === null ? null : numberOf(forSeconds, 1, MAX_GRANT_SECONDS),
    allLike: fields["allLike"] === true,
  };
}

function denyOf(fields: Fields): Deny {
  const { reason } = fields;
  return { ...nameOf(fields), reason: reason === null ? null : reasonOf(reason) };
}

/** One line: it goes into the record and to the VM. */
export function reasonOf(value: unknown): string {
  const text = textOf(value);
  if (text.length > MAX_REASON_CHARS || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) {
    throw new OrderError(`a reason is one line of at most ${MAX_REASON_CHARS} characters`);
  }
  return text;
}

/** Part of a file's name. */
function leaseOf(value: unknown): string {
  const text = textOf(value);
  if (/^[0-9a-f]{32}$/.test(text)) return text;
  throw new OrderError("no lease");
}

function nameOf(
  fields: Fields,
): { readonly vm: string; readonly id: string; readonly hash: string } {
  return { vm: textOf(fields["vm"]), id: textOf(fields["id"]), hash: textOf(fields["hash"]) };
}

function approverOf(value: unknown): Approver {
  const { user, via } = fieldsOf(value);
  return { user: textOf(user), via: textOf(via) };
}

type Fields = { readonly [name: string]: unknown };

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new OrderError("no JSON");
  }
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null) throw new OrderError("no object");
  return value as Fields;
}

function textOf(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new OrderError("no text");
  return value;
}

function numberOf(value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw new OrderError(`no number from ${min} to ${max}`);
}

export function parseAnswer(text: string): Answer {
  return JSON.parse(text); // the daemon's own file, in a folder of root's
}
