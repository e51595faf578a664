// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The shared stream to one port of the VM: called when a connection wants it, kept while it
 * lives. Nothing is done while nobody connects: no timer, no call, no ping. Where it cannot be
 * had, connections go without it for a while that grows.
 *
 * @module
 */

import { readFrames } from "../io/byte_stream.ts";
import type { QrexecCall } from "../io/qrexec_call.ts";
import { MUX_PING_INTERVAL_MS, MUX_SILENCE_LIMIT_MS } from "../protocol/mux_limits.ts";
import { MUX_CAPS } from "../protocol/mux_message.ts";
import { ProtocolError } from "../protocol/refusal.ts";
import type { Clock } from "./clock.ts";
import { callFailure, TunnelFailure } from "./failure.ts";
import { createLinkBackoff } from "./link_backoff.ts";
import { createMuxEnd, type MuxEnd } from "./mux_end.ts";
import type { MuxStream } from "./mux_stream.ts";

/** A VM's program starts in well under a second; a connection waits no longer than this. */
const HELLO_LIMIT_MS = 8_000;

export interface LinkOptions {
  /** Calls openclaw.Mux+PORT. */
  readonly call: () => QrexecCall;
  /** Known before a call is made. */
  readonly isHalted: () => boolean;
  /** Known after a call was refused. */
  readonly wasHalted: () => boolean;
  readonly clock: Clock;
  /** The state changed, or the stream could not be had, or ended: why. */
  readonly onChange: (failure: TunnelFailure | null) => void;
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
  /** Resolves when the VM's side has said hello, or with false when it will not. */
  readonly ready: Promise<boolean>;
  isReady: boolean;
  end(failure: TunnelFailure): void;
}

export function createPersistentLink(options: LinkOptions): PersistentLink {
  const { clock, onChange } = options;
  const backoff = createLinkBackoff();
  let session: Session | null = null;
  let retryAtMs = 0;
  let stopped = false;

  const connected = (): Session | null => {
    if (session !== null) return session;
    if (stopped || clock.nowMs() < retryAtMs || options.isHalted()) return null;
    const over = (failure: TunnelFailure, lastedMs: number | null): void => {
      session = null;
      retryAtMs = clock.nowMs() + backoff.nextWaitMs(failure.failureClass, lastedMs);
      if (!stopped) onChange(failure);
    };
    try {
      return session = startSession(options, { ready: () => onChange(null), over });
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
      return current !== null && await current.ready ? await current.mux.open() : null;
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
  ready(): void;
  over(failure: TunnelFailure, lastedMs: number | null): void;
}

function startSession(options: LinkOptions, watcher: SessionWatcher): Session {
  const { clock } = options;
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
      watcher.ready();
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

  callOffTimer = clock.after(HELLO_LIMIT_MS, () => end(new TunnelFailure("no-answer")));
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
