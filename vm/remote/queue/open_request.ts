// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that dom0 has and that has no outcome yet: where its output goes. @module */

import { writeAll } from "../../../shared/io/program.ts";
import type { StreamNumber } from "../../../shared/protocol/message.ts";
import type { Outcome } from "../../../shared/protocol/outcome.ts";
import { ProtocolError, REFUSAL_TEXT } from "../../../shared/protocol/refusal.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { Layout } from "../files/layout.ts";
import { attempt } from "../files/local_failure.ts";
import { clear } from "../files/plain_file.ts";
import {
  answerLocally,
  dropOutput,
  isAnswered,
  openOutput,
  publishOutcome,
  showParked,
} from "../files/result_files.ts";

export type ProtocolNumber = 1 | 2;

export interface OpenRequest {
  readonly id: RequestId;
  /** A person in dom0 is to decide. */
  park(): void;
  /** That person said yes. @returns false if nobody was asked */
  unpark(): boolean;
  /**
   * The bytes are in the file when it returns, or they are dropped.
   *
   * @returns false as soon as the output cannot be stored here: nobody can use the rest
   */
  write(stream: StreamNumber, offset: number, data: Uint8Array): boolean;
  /**
   * Makes the answer whole: dom0's, or "not-stored" if that one cannot be kept.
   *
   * @returns why it could not be kept; null if it was
   * @throws {ProtocolError} if output is missing or too much
   */
  finish(outcome: Outcome, mac: Uint8Array): string | null;
  close(): void;
}

export function openRequest(layout: Layout, id: RequestId, protocol: ProtocolNumber): OpenRequest {
  // An earlier session made the answer whole and broke before its ack reached dom0: what comes
  // now is the same once more, and the files may already be the client's.
  const answered = isAnswered(layout, id);
  const files = new Map<StreamNumber, Deno.FsFile>();
  const received = new Map<StreamNumber, number>();
  let failure: string | null = null;
  let parked = false;
  showParked(layout, id, false); // of an earlier session: dom0 says it anew

  const close = (): void => {
    for (const file of files.values()) file.close();
    files.clear();
  };
  const fail = (why: string): void => {
    failure = why;
    close();
    dropOutput(layout, id);
  };
  const fileOf = (stream: StreamNumber): Deno.FsFile => {
    const file = files.get(stream) ?? openOutput(layout, id, stream);
    files.set(stream, file);
    return file;
  };
  const publish = (outcome: Outcome, mac: Uint8Array): void => {
    if (protocol === 2) return publishOutcome(layout, outcome, mac);
    if (outcome.kind === "refused") clear(layout, `${layout.pending}/${id}.cmd`);
    publishOutcome(layout, outcome, null, v1Note(outcome));
  };

  const unpark = (): boolean => {
    const was = parked;
    parked = false;
    if (was) showParked(layout, id, false);
    return was;
  };

  return {
    id,
    park() {
      parked = true;
      if (!answered) showParked(layout, id, true);
    },
    unpark,
    write(stream, offset, data) {
      received.set(stream, offset + data.length);
      if (answered || failure !== null) return failure === null;
      // The offset is where the file stands: the session accepts no other.
      const why = attempt(() => writeAll(fileOf(stream), data));
      if (why !== null) fail(why);
      return why === null;
    },
    finish(outcome, mac) {
      close();
      if (
        (received.get(1) ?? 0) !== outcome.out.bytes || (received.get(2) ?? 0) !== outcome.err.bytes
      ) {
        throw new ProtocolError("unexpected", "outcome with other output than was sent");
      }
      if (answered) return null;
      const why = failure ?? attempt(() => publish(outcome, mac));
      if (why === null) return null;
      fail(why);
      const text = `qvmremote.Queue: could not be stored here: ${why}\n`;
      answerLocally(layout, id, outcome.nonce, { kind: "not-stored", reason: null }, text);
      return why;
    },
    close,
  };
}

/** What the original's client prints: it knows only stdout, stderr and a number. */
function v1Note({ id, kind, reason, durationMs }: Outcome): string {
  if (kind === "done") return "";
  if (kind === "timeout") {
    return `qvm-remote-dom0: command timed out after ${Math.round(durationMs / 1000)}s\n`;
  }
  return `qvm-remote-dom0: ${reason === null ? kind : REFUSAL_TEXT[reason]} for id=${id}\n`;
}
