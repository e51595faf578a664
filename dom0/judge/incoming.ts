// SPDX-License-Identifier: GPL-2.0-or-later
/** What a job brings, and the session that brings it: a payload, a live stream, or nothing. @module */

import type { UnverifiedChunk } from "../../shared/protocol/live/chunk.ts";
import type { Intake, Source } from "../payload/intake.ts";
import type { LiveSource, LiveStream } from "../payload/live_stream.ts";

export interface Incoming {
  /** Its payload is to come: each session that takes the seat is asked for what is missing. */
  expect(intake: Intake): void;
  /** The next bytes of its payload. */
  take(data: Uint8Array): void;
  /** It brings a live stream: each session that takes the seat is asked for what follows. */
  listen(live: LiveStream): void;
  /** The next chunk of its live stream. */
  takeChunk(chunk: UnverifiedChunk): void;
}

export interface IncomingOfJob extends Incoming {
  attach(seat: Source & LiveSource): void;
  detach(): void;
  /** The job has ended. */
  close(): void;
}

/** @param seat that of the session that is there; null: none is */
export function createIncoming(seat: () => Source & LiveSource | null): IncomingOfJob {
  let intake: Intake | null = null;
  let live: LiveStream | null = null;
  const attach = (to: Intake | LiveStream): void => {
    const now = seat();
    if (now !== null) to.attach(now);
  };
  return {
    expect: (next) => attach(intake = next),
    take: (data) => intake?.take(data),
    listen: (next) => attach(live = next),
    takeChunk: (chunk) => live?.take(chunk),
    attach(next) {
      intake?.attach(next);
      live?.attach(next);
    },
    detach() {
      intake?.detach();
      live?.detach();
    },
    close: () => live?.close(),
  };
}
