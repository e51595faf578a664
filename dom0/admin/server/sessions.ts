// SPDX-License-Identifier: GPL-2.0-or-later
/** Who is logged in, in memory only: a restart ends all sessions, and all that they may do. @module */

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { randomSecret, secretDigest } from "./secret.ts";
import { SESSION_IDLE_MS, SESSION_MS, SESSIONS } from "./limits.ts";
import type { Applying, StagedChange } from "../staged/staged_change.ts";

export const COOKIE = "global-admin-session";
/** The field of each form that says whose page it is from. */
export const FORM_TOKEN = "form-token";

export interface Notice {
  readonly kind: "ok" | "wait" | "bad";
  readonly text: string;
}

export interface Session {
  /** "s-3": what pages and the record call it. No secret. */
  readonly name: string;
  /** Stands in each form of this session's pages. */
  readonly formToken: string;
  readonly begunMs: number;
  seenMs: number;
  /** Until then it may do what is of level full; 0 if not at all. */
  elevatedUntilMs: number;
  /** What the next page says of the change before it. */
  notices: Notice[];
  staged: readonly StagedChange[];
  /** The plan that applies them right now; null: none. */
  applying: Applying | null;
}

export interface Sessions {
  /** @returns what the cookie holds */
  begin(): string;
  /** null if it is unknown, was ended, or has expired. */
  find(cookie: string | undefined): Session | null;
  end(name: string): boolean;
  all(): readonly Session[];
}

export function createSessions(dateMs: () => number): Sessions {
  /** By the SHA-256 of the secret, so that the time of a look-up reveals nothing. */
  const sessions = new Map<string, Session>();
  let count = 0;
  const isOver = ({ begunMs, seenMs }: Session): boolean =>
    dateMs() - seenMs > SESSION_IDLE_MS || dateMs() - begunMs > SESSION_MS;
  const all = (): readonly Session[] => {
    for (const [key, session] of sessions) if (isOver(session)) sessions.delete(key);
    return [...sessions.values()];
  };
  const end = (name: string): boolean => {
    for (const [key, session] of sessions) if (session.name === name) return sessions.delete(key);
    return false;
  };
  return {
    begin() {
      const oldest = all()[0];
      if (sessions.size >= SESSIONS && oldest !== undefined) end(oldest.name);
      const secret = randomSecret();
      sessions.set(secretDigest(secret), {
        name: `s-${++count}`,
        formToken: randomSecret(),
        begunMs: dateMs(),
        seenMs: dateMs(),
        elevatedUntilMs: 0,
        notices: [],
        staged: [],
        applying: null,
      });
      return secret;
    },
    find(cookie) {
      const session = cookie === undefined ? undefined : sessions.get(secretDigest(cookie));
      if (session === undefined || isOver(session)) return null;
      session.seenMs = dateMs();
      return session;
    },
    end,
    all,
  };
}

export function isFormToken({ formToken }: Session, untrustedToken: string | undefined): boolean {
  if (untrustedToken?.length !== formToken.length) return false;
  const given = utf8(untrustedToken);
  return given.length === formToken.length && timingSafeEqual(given, utf8(formToken));
}
