// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a tool says: one shape for all of them, whose parts are there when they mean something. Pure.
 *
 * @module
 */

export const STATUSES = [
  "done",
  "failed",
  "refused",
  "running",
  "pending_approval",
  "cancelled",
  "not_connected",
  "invalid",
] as const;
export type Status = typeof STATUSES[number];

export interface Said {
  readonly status: Status;
  /** Of the request, for the tools that follow it. */
  readonly id?: string;
  readonly reason?: string;
  readonly exitCode?: number;
  readonly value?: unknown;
  readonly untrustedOutput?: string;
  readonly untrustedErrors?: string;
  readonly truncated?: boolean;
  readonly totalBytes?: number;
  readonly nextOffset?: number;
  readonly whatThePersonSees?: string;
  readonly expiresAt?: string;
}

const TEXT = { type: "string" } as const;
const COUNT = { type: "integer" } as const;

/** Followed by each tool's answers. */
export const SAID_SCHEMA = {
  type: "object",
  properties: {
    status: { type: "string", enum: STATUSES },
    id: TEXT,
    reason: TEXT,
    exitCode: COUNT,
    value: {},
    untrustedOutput: TEXT,
    untrustedErrors: TEXT,
    truncated: { type: "boolean" },
    totalBytes: COUNT,
    nextOffset: COUNT,
    whatThePersonSees: TEXT,
    expiresAt: TEXT,
  },
  required: ["status"],
} as const;

const BAD: ReadonlySet<Status> = new Set([
  "failed",
  "refused",
  "cancelled",
  "not_connected",
  "invalid",
]);

/**
 * A result of tools/call. What came out is in one place only, the one that every client shows its
 * model: of an error Claude Code shows the text alone, of all else the structured part alone; Codex
 * shows the text only where there is no structured part.
 */
export function toolResult(said: Said) {
  const text = headline(said);
  if (!BAD.has(said.status)) {
    return { content: [textBlock(text)], structuredContent: { ...said }, isError: false };
  }
  const { reason: _inText, ...others } = said;
  return { content: [textBlock(`${text}\n${JSON.stringify(others)}`)], isError: true };
}

const textBlock = (text: string) => ({ type: "text" as const, text });

function headline({ status, id, reason, exitCode, expiresAt }: Said): string {
  switch (status) {
    case "pending_approval":
      return `A person in dom0 is to decide${
        expiresAt === undefined ? "" : ` until ${expiresAt}`
      }. ` +
        `Do not ask again: call job_wait with the id ${id}.`;
    case "running":
      return `${reason ?? "It goes on in dom0"}. Call job_wait with the id ${id}.`;
    default: {
      const code = status === "failed" && exitCode !== undefined
        ? ` with exit code ${exitCode}`
        : "";
      return `${status}${code}${reason === undefined ? "" : `: ${reason}`}`;
    }
  }
}
