// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that waits, in the words of every page. @module */

import type { ParkedRequest } from "../channel/dom0_channel.ts";
import { many } from "./parts.ts";

export const MAX_REASON_CHARS = 200;

export function requestPath({ vm, id }: Pick<ParkedRequest, "vm" | "id">): string {
  return `/approvals/${encodeURIComponent(vm)}/${encodeURIComponent(id)}`;
}

export function operationWords({ operation, isScript, runs }: ParkedRequest): string {
  return isScript ? `shell, ${many(runs.length, "line")}` : operation;
}

/** What is typed to approve what destroys. */
export function nameToType({ targets, operation }: ParkedRequest): string {
  return targets[0] ?? operation;
}
