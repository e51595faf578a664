// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One shared stream from its call to its end: waits for the VM's hello, carries streams, and ends
 * when the VM is silent for too long.
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
import { createMuxEnd, type MuxEnd } from "./mux_end.ts";
import type { MuxStream } from "./mux_stream.ts";

/** A VM's program starts in well under a second. The first connections wait no longer than this, */
const PATIENCE_MS = 8_000;
/** and then do without it, while it has this long to say hello after all. */
const HELLO_LIMIT_MS = 60_000;

export interface LinkSessionOptions {
  /** Calls openclaw.Mux+PORT. */
  readonly call: () => QrexecCall;
  /** Known after a call was refused. */
  readonly wasHalted: () => boolean;
  readonly clock: Clock;
}

export interface LinkSession {
  /** Resolves when the VM's side has said hello, or with false when it is waited for no longer. */
  readonly ready: Promise<boolean>;
  isReady(): boolean;
  /** @throws {TunnelFailure} there is no place for another stream, or the session is over */
  open(): Promise<MuxStream>;
  end(failure: TunnelFailure): void;
}

export interface LinkSessionWatcher {
  /** @param inTime whether it came while connections wait for one */
  ready(inTime: boolean): void;
  late(): void;
  /** @param lastedMs how long it was ready; null if it never was */
  over(failure: TunnelFailure, lastedMs: number | null): void;
}

/**
 * @param isWaitedFor whether connections wait for its hello
 * @throws {TunnelFailure} it cannot be called
 */
export function startLinkSession(
  options: LinkSessionOptions,
  watcher: LinkSessionWatcher,
  isWaitedFor: boolean,
): LinkSession {
  const { clock } = options;
  const call = options.call();
  let readyAtMs: number | null = null;
  let isOver = false;
  const end = (failure: TunnelFailure): void => {
    if (isOver) return;
    isOver = true;
    silence.stop();
    call.kill();
    mux.fail(failure);
    hello.stop();
    watcher.over(failure, readyAtMs === null ? null : clock.nowMs() - readyAtMs);
  };
  const giveUp = (): void => end(new TunnelFailure("no-answer"));
  const mux = createMuxEnd({
    role: "dialer",
    clock,
    write: (bytes) => call.input.send(bytes),
    onBroken() {}, // the call says how it ended
    onReady() {
      readyAtMs = clock.nowMs();
      watcher.ready(hello.came());
      silence.start();
    },
    onOpen() {}, // the protocol lets no acceptor open
  });
  const silence = watchSilence(mux, clock, giveUp);
  const hello = awaitHello(clock, isWaitedFor, watcher.late, giveUp);
  mux.send(mux.session.hello());
  read(call, options.wasHalted, end, (frame) => {
    if (isOver) return;
    silence.heard();
    return mux.receive(frame);
  });
  return {
    ready: hello.ready,
    isReady: () => readyAtMs !== null && !isOver,
    open() {
      silence.start();
      return mux.open();
    },
    end,
  };
}

/** Reads the call to its end, and tells how it ended. */
function read(
  call: QrexecCall,
  wasHalted: () => boolean,
  end: (failure: TunnelFailure) => void,
  receive: MuxEnd["receive"],
): void {
  let spoke = false;
  const reading = readFrames(call.output, MUX_CAPS.dialer, (frame) => {
    spoke = true;
    return receive(frame);
  }, () => true);
  reading.catch((error) => {
    if (error instanceof ProtocolError && error.violation !== "cut-off") {
      end(new TunnelFailure("protocol", ` (${error.message})`));
    }
  });
  call.ended.then((ended) => {
    const lost = new TunnelFailure("vm-died");
    // What came before the end is read before the end is told.
    reading.catch(() => {}).then(() => end(callFailure(ended, spoke, wasHalted()) ?? lost));
  });
}

interface HelloWait {
  readonly ready: Promise<boolean>;
  /** @returns whether it came while connections wait for it */
  came(): boolean;
  stop(): void;
}

/** First with connections that wait, then without; then it is given up. */
function awaitHello(
  clock: Clock,
  isWaitedFor: boolean,
  onLate: () => void,
  onGivenUp: () => void,
): HelloWait {
  const startedAtMs = clock.nowMs();
  const ready = Promise.withResolvers<boolean>();
  let callOff = (): void => {};
  const waitOn = (): void => {
    ready.resolve(false);
    callOff = clock.after(HELLO_LIMIT_MS - PATIENCE_MS, onGivenUp);
  };
  if (isWaitedFor) {
    callOff = clock.after(PATIENCE_MS, () => {
      waitOn();
      onLate();
    });
  } else waitOn();
  return {
    ready: ready.promise,
    came() {
      callOff();
      ready.resolve(true);
      return clock.nowMs() - startedAtMs < PATIENCE_MS;
    },
    stop() {
      callOff();
      ready.resolve(false);
    },
  };
}

interface SilenceWatch {
  heard(): void;
  /** Runs while streams are open; a stream that opens later starts it again. */
  start(): void;
  stop(): void;
}

/** Pings a VM that says nothing, and tells when it said nothing for too long. */
function watchSilence(mux: MuxEnd, clock: Clock, onSilent: () => void): SilenceWatch {
  let heardAtMs = clock.nowMs();
  let isWatching = false;
  let callOff = (): void => {};
  const watch = (): void => {
    callOff = clock.after(MUX_PING_INTERVAL_MS, () => {
      if (mux.session.openStreams() === 0) return void (isWatching = false);
      const silentMs = clock.nowMs() - heardAtMs;
      if (silentMs > MUX_SILENCE_LIMIT_MS) return onSilent();
      if (silentMs >= MUX_PING_INTERVAL_MS) mux.send(mux.session.ping());
      watch();
    });
  };
  return {
    heard: () => void (heardAtMs = clock.nowMs()),
    start() {
      if (isWatching) return;
      isWatching = true;
      heardAtMs = clock.nowMs(); // no pings were sent while nothing was open
      watch();
    },
    stop: () => callOff(),
  };
}
