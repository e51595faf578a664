// SPDX-License-Identifier: GPL-2.0-or-later
/** A qrexec call whose far side is a function, and a clock that is turned by hand. @module */

import type { CallEnd, QrexecCall } from "../../../shared/io/qrexec_call.ts";
import type { Clock } from "../../../shared/tunnel/clock.ts";

export interface FarSide {
  readonly input: ReadableStream<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
}

export const callEnd = (code: number, untrustedStderr = ""): CallEnd => ({
  ...{ code, untrustedStderr, stderrFlood: false },
});

/** @param run the far side; its result is the exit code. A kill of the call ends its input. */
export function fakeCall(run: (far: FarSide) => Promise<number>): QrexecCall {
  const toFar = new TransformStream<Uint8Array, Uint8Array>();
  const toNear = new TransformStream<Uint8Array, Uint8Array>();
  const [down, up] = [toFar.writable.getWriter(), toNear.writable.getWriter()];
  down.closed.catch(() => {});
  up.closed.catch(() => {});
  const killed = Promise.withResolvers<CallEnd>();
  const finished = run({ input: toFar.readable, write: (bytes) => up.write(bytes.slice()) })
    .then(callEnd);
  finished.then(() => up.close()).catch(() => up.close()).catch(() => {});
  return {
    output: toNear.readable,
    input: {
      send: (bytes) => down.write(bytes.slice()).catch(() => {}),
      backlogBytes: () => 0,
    },
    closeInput: () => void down.close().catch(() => {}),
    kill() {
      down.abort().catch(() => {});
      up.close().catch(() => {});
      killed.resolve(callEnd(137));
    },
    ended: Promise.race([finished.catch(() => callEnd(255)), killed.promise]),
  };
}

export interface HandClock extends Clock {
  advance(ms: number): void;
  timers(): number;
}

export function handClock(): HandClock {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  return {
    nowMs: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = timers.toSorted((a, b) => a.at - b.at);
        if (next === undefined || next.at > end) break;
        now = next.at;
        timers = timers.filter((other) => other !== next);
        next.run();
      }
      now = end;
    },
    timers: () => timers.length,
  };
}

/** Lets everything that is ready happen. */
export async function settle(turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Sends back what it gets, until it gets no more. */
export function echoServer(): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const conn of listener) {
      conn.readable.pipeTo(conn.writable).catch(() => {});
    }
  })().catch(() => {});
  return listener;
}
