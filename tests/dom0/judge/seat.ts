// SPDX-License-Identifier: GPL-2.0-or-later
/** A strict seat: it takes what a session may be given, in the order it may be given. @module */

import { concat } from "../../../shared/protocol/bytes.ts";
import { MAX_OUTPUT_CHUNK_BYTES } from "../../../shared/protocol/limits.ts";
import type { StreamNumber } from "../../../shared/protocol/message.ts";
import type { Outcome } from "../../../shared/protocol/outcome.ts";
import type { Seat } from "../../../dom0/judge/job.ts";

export interface TestSeat extends Seat {
  /** "accepted", "parked", "approved", "STREAM@OFFSET+LENGTH", "outcome KIND" or "outcome refused REASON". */
  readonly log: string[];
  readonly chunks: { readonly stream: StreamNumber; readonly data: Uint8Array }[];
  outcomes(): readonly Outcome[];
  /** Resolves with the outcome when there is one. */
  readonly answered: Promise<Outcome>;
  bytes(stream: StreamNumber): Uint8Array;
  text(stream: StreamNumber): string;
  give(roomBytes: number): void;
  /** Whether refusals are recorded one by one. */
  records: boolean;
  /** Its session ended. */
  close(): void;
  /** What was asked for of its payload. */
  readonly pulls: { readonly offset: number; readonly bytes: number }[];
  /** What was wanted of its live stream; null: no more. */
  readonly wants: (number | null)[];
}

export function createSeat(roomBytes = Infinity): TestSeat {
  let room = roomBytes;
  let open = true;
  const outcomes: Outcome[] = [];
  const offsets = new Map<StreamNumber, number>();
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const seat: TestSeat = {
    records: true,
    log: [],
    pulls: [],
    pull: (offset, bytes) => void seat.pulls.push({ offset, bytes }),
    wants: [],
    want: (offset) => void seat.wants.push(offset),
    enough: () => void seat.wants.push(null),
    chunks: [],
    answered: promise,
    outcomes: () => outcomes,
    isOpen: () => open,
    close: () => void (open = false),
    mayRecordRefusal: () => seat.records,
    room: () => Math.min(room, MAX_OUTPUT_CHUNK_BYTES),
    give: (bytes) => void (room += bytes),
    accepted() {
      if (seat.log.length > 0) throw new Error(`accepted after ${seat.log.at(-1)}`);
      seat.log.push("accepted");
    },
    parked() {
      if (seat.log.at(-1) !== "accepted") throw new Error(`parked after ${seat.log.at(-1)}`);
      seat.log.push("parked");
    },
    approved() {
      if (seat.log.at(-1) !== "parked") throw new Error(`approved after ${seat.log.at(-1)}`);
      seat.log.push("approved");
    },
    output(stream, offset, data) {
      const expected = offsets.get(stream) ?? 0;
      if (
        seat.log[0] !== "accepted" || outcomes.length > 0 || offset !== expected ||
        data.length === 0 || data.length > Math.min(room, MAX_OUTPUT_CHUNK_BYTES)
      ) {
        throw new Error(`output of ${data.length} at ${offset}, want ${expected}; ${seat.log}`);
      }
      room -= data.length;
      offsets.set(stream, offset + data.length);
      seat.chunks.push({ stream, data: data.slice() });
      seat.log.push(`${stream}@${offset}+${data.length}`);
    },
    outcome(outcome) {
      if (outcomes.length > 0) throw new Error("a second outcome");
      outcomes.push(outcome);
      seat.log.push(
        `outcome ${outcome.kind}${outcome.reason === null ? "" : ` ${outcome.reason}`}`,
      );
      resolve(outcome);
    },
    bytes: (wanted) => {
      return concat(seat.chunks.filter(({ stream }) => stream === wanted).map(({ data }) => data));
    },
    text: (stream) => new TextDecoder().decode(seat.bytes(stream)),
  };
  return seat;
}
