// SPDX-License-Identifier: GPL-2.0-or-later
/** Every limit of the web admin's server. @module */

export interface ServerLimits {
  /** More are closed as they come: a browser opens six, a person has a few of them. */
  readonly connections: number;
  /** From the connection to the last byte of the header. */
  readonly headerMs: number;
  /** From the connection to the last byte of the body. */
  readonly requestMs: number;
  /** How long an idle connection is kept for the next request. */
  readonly idleMs: number;
  /** Requests that are being answered; more get 503. */
  readonly open: number;
  /** Browsers that follow what happens: one stream for all tabs of each. */
  readonly streams: number;
}

export const LIMITS: ServerLimits = {
  connections: 256,
  headerMs: 5_000,
  requestMs: 15_000,
  idleMs: 10_000,
  open: 64,
  streams: 32,
};

/** A form of a page; a file of policy says more. */
export const MAX_FORM_BYTES = 32 * 1024;
/** A file of policy has 256 KiB at most; each byte may be three in a form. */
export const MAX_POLICY_FORM_BYTES = 800 * 1024;
export const MAX_FORM_FIELDS = 64;
export const MAX_HEADER_BYTES = 16 * 1024;
export const MAX_TARGET_CHARS = 4_000;

/** An unused login expires; a browser takes some seconds to start. */
export const TICKET_MS = 60_000;
/** Wrong tickets in a minute; then nobody logs in until it is over. */
export const WRONG_TICKETS = 10;
export const SESSIONS = 32;
export const SESSION_IDLE_MS = 2 * 3600_000;
export const SESSION_MS = 12 * 3600_000;
/** The longest time a session may do what is of level full. */
export const MAX_ELEVATED_MINUTES = 120;
