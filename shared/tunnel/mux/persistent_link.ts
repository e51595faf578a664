// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The shared stream to one port of the VM: called when a connection wants it, kept while it
 * lives. Nothing is done while nobody connects: no timer, no call, no ping. Where it cannot be
 * had, connections go without it for a while that grows.
 *
 * @module
 */

import { readFrames } from "../../io/byte_stream.ts";
import type { QrexecCall } from "../../io/qrexec_call.ts";
import { MUX_PING_INTERVAL_MS, MUX_SILENCE_LIMIT_MS } from "../../protocol/mux/mux_limits.ts";
import { MUX_CAPS } from "../../protocol/mux/mux_message.ts";
import { ProtocolError } from "../../protocol/refusal.ts";
import type { Clock } from "../clock.ts";
import { callFailure, TunnelFailure } from "../failure.ts";
import { createLinkBackoff } from "./link_backoff.ts";
import { createMuxEnd, type MuxEnd } from "./mux_end.ts";
import type { MuxStream } from "./mux_stream.ts";

/** A VM's program starts in well under a second. The first connections wait no longer than this … */
const PATIENCE_MS = 8_000;
/** … and then go without it, while it has until now to say hello after all. */
const HELLO_LIMIT_MS = 60_000;
/** A stream that is asked for again within this time is not given up. */
const SOON_MS = 1_000;

export interface LinkOptions {
  /** Calls openclaw.Mux+PORT. */
  readonly call: () => QrexecCall;
  /** Known before a call is made. */
  readonly isHalted: () => boolean;
  /** Known after a call was refused. */
  readonly wasHalted: () => boolean;
  /** See Place: a VM that was started anew is not judged by what was before. */
  readonly incarnation: () => string;
  readonly clock: Clock;
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
  /** Calls, if that may be; resolves when the stream is there, or not. */
  tryNow(): Promise<void>;
  stop(): void;
}

interface Session {
  readonly mux: MuxEnd;
  /** Resolves when the VM's side has said hello, or with false when it is waited for no longer. */
  readonly ready: Promise<boolean>;
  isReady: boolean;
  end(failure: TunnelFailure): void;
}

export function createPersistentLink(options: LinkOptions): PersistentLink {
  const { clock, onChange } = options;
  let backoff = createLinkBackoff();
  let incarnation = options.incarnation();
  let session: Session | null = null;
  let retryAtMs = 0;
  /** Its last hello was late: nobody waits for the next, which is welcome all the same. */
  let isSlow = false;
  let stopped = false;

  const lookForRestart = (): void => {
    const now = options.incarnation();
    if (now === incarnation) return;
    incarnation = now;
    backoff = createLinkBackoff();
    retryAtMs = 0;
    isSlow = false;
  };
  const over = (failure: TunnelFailure, lastedMs: number | null): void => {
    session = null;
    const waitMs = backoff.nextWaitMs(failure.failureClass, lastedMs);
    retryAtMs = clock.nowMs() + waitMs;
    if (!stopped) onChange(failure, waitMs < SOON_MS);
  };
  const watcher: SessionWatcher = {
    ready(inTime) {
      if (inTime) isSlow = false;
      onChange(null, false);
    },
    late() {
      isSlow = true;
      onChange(new TunnelFailure("no-answer"), false);
    },
    over,
  };
  const connected = (): Session | null => {
    if (session !== null) return session;
    lookForRestart();
    if (stopped || clock.nowMs() < retryAtMs || options.isHalted()) return null;
    try {
      return session = startSession(options, watcher, !isSlow);
    } catch (error) {
      if (!(error instanceof TunnelFailure)) throw error;
      over(error, null);
      return null;
    }
  };

  return {
    state: () => session === null ? "off" : session.isReady ? "ready" : "connecting",
    async open() {
      const current = connected();
      if (current === null) return null;
      return current.isReady || await current.ready ? await current.mux.open() : null;
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

interface SessionWatcher {
  /** @param inTime whether it came while connections wait for one */
  ready(inTime: boolean): void;
  late(): void;
  over(failure: TunnelFailure, lastedMs: number | null): void;
}

function startSession(
  options: LinkOptions,
  watcher: SessionWatcher,
  isWaitedFor: boolean,
): Session {
  const { clock } = options;
  const startedAtMs = clock.nowMs();
  const ready = Promise.withResolvers<boolean>();
  const call = options.call();
  let readyAtMs: number | null = null;
  let heardAtMs = clock.nowMs();
  let spoke = false;
  let isOver = false;
  let callOffTimer = (): void => {};

  const end = (failure: TunnelFailure): void => {
    if (isOver) return;
    isOver = true;
    session.isReady = false;
    callOffTimer();
    call.kill();
    mux.fail(failure);
    ready.resolve(false);
    watcher.over(failure, readyAtMs === null ? null : clock.nowMs() - readyAtMs);
  };
  const mux = createMuxEnd({
    role: "dialer",
    clock,
    write: (bytes) => call.input.send(bytes),
    onBroken() {}, // the call says how it ended
    onReady() {
      callOffTimer();
      readyAtMs = clock.nowMs();
      session.isReady = true;
      ready.resolve(true);
      watcher.ready(readyAtMs - startedAtMs < PATIENCE_MS);
      watch();
    },
    onOpen() {}, // the protocol lets no acceptor open
  });
  /** Runs while streams are open; a stream that opens later starts it again. */
  const watch = (): void => {
    callOffTimer = clock.after(MUX_PING_INTERVAL_MS, () => {
      if (mux.session.openStreams() === 0) return void (callOffTimer = () => {}, watching = false);
      const silentMs = clock.nowMs() - heardAtMs;
      if (silentMs > MUX_SILENCE_LIMIT_MS) return end(new TunnelFailure("no-answer"));
      if (silentMs >= MUX_PING_INTERVAL_MS) mux.send(mux.session.ping());
      watch();
    });
    watching = true;
  };
  let watching = false;
  const session: Session = {
    mux: {
      ...mux,
      open() {
        if (!watching) {
          heardAtMs = clock.nowMs(); // nobody pinged while nothing was open
          watch();
        }
        return mux.open();
      },
    },
    ready: ready.promise,
    isReady: false,
    end,
  };

  const late = (): void => {
    ready.resolve(false);
    const giveUp = (): void => end(new TunnelFailure("no-answer"));
    callOffTimer = clock.after(HELLO_LIMIT_MS - PATIENCE_MS, giveUp);
  };
  if (isWaitedFor) {
    callOffTimer = clock.after(PATIENCE_MS, () => {
      late();
      watcher.late();
    });
  } else late();
  mux.send(mux.session.hello());
  const reading = readFrames(call.output, MUX_CAPS.dialer, (frame) => {
    if (isOver) return;
    heardAtMs = clock.nowMs();
    spoke = true;
    return mux.receive(frame);
  }, true);
  reading.catch((error) => {
    if (error instanceof ProtocolError && error.violation !== "cut-off") {
      end(new TunnelFailure("protocol", ` (${error.message})`));
    }
  });
  call.ended.then((ended) => {
    const lost = new TunnelFailure("vm-died");
    // What came before the end is read before the end is told.
    reading.catch(() => {}).then(() => end(callFailure(ended, spoke, options.wasHalted()) ?? lost));
  });
  return session;
}
