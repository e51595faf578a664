// SPDX-License-Identifier: GPL-2.0-or-later
/** Why a request did not end well, as far as dom0 knows, and where to look further. @module */

import { isRefusalReason, REFUSAL_TEXT } from "../../../shared/protocol/refusal.ts";
import type { AuditRecord } from "../channel/dom0_channel.ts";
import { type Content, type Html, markup } from "../markup/markup.ts";
import { many } from "./parts.ts";
import { isFailed } from "./record_words.ts";

/** By the event; where a limit ended it, the record has the limit. */
const WHY: ReadonlyMap<string, string> = new Map([
  ["timeout", "It ran longer than it may."],
  ["cancelled", "Its VM took it back, or an operator ended it."],
  ["interrupted", "The daemon died while it ran. What it had done by then is not known."],
  ["revoked", "The right of its VM was taken away."],
  ["locked-down", "dom0 was locked down."],
  ["stopping", "The daemon was stopped."],
  ["not-stored", "Its VM could not store the answer."],
  ["output-limit", "It printed more than it may."],
  ["process-limit", "It started more processes than it may."],
  ["memory-limit", "It took more memory than it may."],
]);
const LIMITED: ReadonlySet<string> = new Set(
  ["timeout", "output-limit", "process-limit", "memory-limit"],
);

/** null: there is nothing to explain. */
export function recordWhy(record: AuditRecord): Html | null {
  if (!isFailed(record)) return null;
  const words = whyOf(record);
  return words === null ? null : markup`<p><strong>Why.</strong> ${words}</p>`;
}

function whyOf({ event, fields, asked }: AuditRecord): Content {
  if (event === "done") return whyExit(fields, asked);
  if (event === "refused") return whyRefused(fields);
  const text = WHY.get(event) ?? null;
  if (text === null || !LIMITED.has(event)) return text;
  return markup`${text} The limits are in <code>remote.conf</code>.`;
}

/** dom0 keeps no output: only its VM has what the program said. */
function whyExit(fields: AuditRecord["fields"], asked: AuditRecord["asked"]): Content {
  const { vm, id, exit, err_bytes: errors } = fields;
  if (typeof vm !== "string" || typeof id !== "string") return null;
  if (asked === "plan") {
    return markup`A step failed. <a href="/plans/${encodeURIComponent(vm)}/${
      encodeURIComponent(id)
    }">The plan</a> has what it said.`;
  }
  const some = typeof errors === "number" && errors > 0 && ` (${many(errors, "byte")} of errors)`;
  return markup`The program ended with code ${
    String(exit)
  }. What it printed${some} is kept in <bdi>${vm}</bdi> alone; there, run <code>qvm-remote history show ${id}</code>.`;
}

function whyRefused({ vm, reason, command }: AuditRecord["fields"]): Content {
  if (typeof reason !== "string" || !isRefusalReason(reason)) return null;
  const text = REFUSAL_TEXT[reason];
  const query = typeof vm === "string" && typeof command === "string"
    ? new URLSearchParams({ vm, words: command }).toString()
    : null;
  return markup`${text.charAt(0).toUpperCase()}${text.slice(1)}.${
    reason === "policy-denied" && query !== null &&
    markup` <a href="/policy?${query}">Which rule decides</a>`
  }`;
}
