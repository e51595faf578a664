// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The shared stream to one port of the VM: called when a connection needs it, kept while it lives.
 * While nobody connects, nothing happens: no timer, no call, no ping. If it fails, connections do
 * without it for a growing while.
 *
 * @module
 */

import { TunnelFailure } from "../failure.ts";
import { createLinkBackoff } from "./link_backoff.ts";
import {
  type LinkSession,
  type LinkSessionOptions,
  type LinkSessionWatcher,
  startLinkSession,
} from "./link_session.ts";
import type { MuxStream } from "./mux_stream.ts";

/** A stream that is asked for again within this time is not given up. */
const SOON_MS = 1_000;

export interface LinkOptions extends LinkSessionOptions {
  /** Known before a call is made. */
  readonly isHalted: () => boolean;
  /** See Place: a VM that was restarted gets a fresh try. */
  readonly incarnation: () => string;
  /**
   * The state changed, or the stream could not be had, or ended: why, and whether it is asked for
   * again soon, so that the next connection decides.
   */
  readonly onChange: (failure: TunnelFailure | null, asksSoon: boolean) => void;
}

export type LinkState = "ready" | "connecting" | "off";

export interface PersistentLink {
  state(): LinkState;
  /**
   * A stream of its own for one connection; null: there is no shared stream now.
   *
   * @throws {TunnelFailure} there is no place for another
   */
  open(): Promise<MuxStream | null>;
  /** Makes the call, if it may; resolves when it is clear whether there is a stream. */
  tryNow(): Promise<void>;
  stop(): void;
}

export function createPersistentLink(options: LinkOptions): PersistentLink {
  const { onChange } = options;
  const attempts = createAttempts(options);
  let session: LinkSession | null = null;
  let stopped = false;
  const over = (failure: TunnelFailure, lastedMs: number | null): void => {
    session = null;
    const waitMs = attempts.failed(failure, lastedMs);
    if (!stopped) onChange(failure, waitMs < SOON_MS);
  };
  const watcher: LinkSessionWatcher = {
    ready(inTime) {
      if (inTime) attempts.isSlow = false;
      onChange(null, false);
    },
    late() {
      attempts.isSlow = true;
      onChange(new TunnelFailure("no-answer"), false);
    },
    over,
  };
  const connected = (): LinkSession | null => {
    if (session !== null) return session;
    if (stopped || !attempts.mayCall()) return null;
    try {
      return session = startLinkSession(options, watcher, !attempts.isSlow);
    } catch (error) {
      if (!(error instanceof TunnelFailure)) throw error;
      over(error, null);
      return null;
    }
  };
  return {
    state: () => session === null ? "off" : session.isReady() ? "ready" : "connecting",
    async open() {
      const current = connected();
      if (current === null) return null;
      return current.isReady() || await current.ready ? await current.open() : null;
    },
    async tryNow() {
      await connected()?.ready;
    },
    stop() {
      stopped = true;
      session?.end(new TunnelFailure("vm-died", " (the tunnel stops)"));
    },
  };
}

/** What earlier calls say of the next one. */
interface Attempts {
  /** The last hello was late: connections do not wait for the next one, but use it once it comes. */
  isSlow: boolean;
  /** First checks whether the VM was restarted. */
  mayCall(): boolean;
  /** @returns for how long no other call is made */
  failed(failure: TunnelFailure, lastedMs: number | null): number;
}

function createAttempts({ clock, incarnation, isHalted }: LinkOptions): Attempts {
  let backoff = createLinkBackoff();
  let calledOf = incarnation();
  let retryAtMs = 0;
  const attempts: Attempts = {
    isSlow: false,
    mayCall() {
      const now = incarnation();
      if (now !== calledOf) {
        calledOf = now;
        backoff = createLinkBackoff();
        retryAtMs = 0;
        attempts.isSlow = false;
      }
      return clock.nowMs() >= retryAtMs && !isHalted();
    },
    failed({ failureClass }, lastedMs) {
      const waitMs = backoff.nextWaitMs(failureClass, lastedMs);
      retryAtMs = clock.nowMs() + waitMs;
      return waitMs;
    },
  };
  return attempts;
}
