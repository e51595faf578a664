// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that dom0 has and that has no outcome yet: where its output goes. @module */

import { writeAll } from "../../../shared/cli/program.ts";
import type { StreamNumber } from "../../../shared/protocol/message.ts";
import type { Outcome } from "../../../shared/protocol/outcome.ts";
import {
  ProtocolError,
  REFUSAL_TEXT,
  type RefusalReason,
} from "../../../shared/protocol/refusal.ts";
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
  showSent,
} from "../files/result_files.ts";
import { createPayloadReader, type PayloadPiece } from "./payload_reader.ts";

export type ProtocolNumber = 1 | 2;

/** What is smaller is sent before anybody looks. */
const SHOWN_EVERY_BYTES = 4 * 1024 * 1024;

export interface OpenRequest {
  readonly id: RequestId;
  /** A person in dom0 is to decide. */
  park(): void;
  /** That person said yes. @returns false if nobody was asked */
  unpark(): boolean;
  /** The pieces of that part of its payload, to be sent. */
  payload(offset: number, bytes: number): Iterable<PayloadPiece>;
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
  /** The session is over: nobody here knows any more what dom0 does with it. */
  close(): void;
}

/** @param wasSent by an earlier session, as far as can be told */
export function openRequest(
  layout: Layout,
  id: RequestId,
  protocol: ProtocolNumber,
  wasSent: boolean,
): OpenRequest {
  const answer: Answer = {
    layout,
    id,
    protocol,
    wasSent,
    wasWhole: isAnswered(layout, id),
    files: new Map(),
    received: new Map(),
    failure: null,
    parked: false,
  };
  const payload = createPayloadReader(layout, id);
  let shown = 0;
  showParked(layout, id, false); // of an earlier session: dom0 says it anew
  return {
    id,
    park() {
      answer.parked = true;
      if (!answer.wasWhole) showParked(layout, id, true);
    },
    unpark: () => unpark(answer),
    payload(offset, bytes) {
      if (offset - shown >= SHOWN_EVERY_BYTES) showSent(layout, id, shown = offset);
      return payload.pieces(offset, bytes);
    },
    write: (stream, offset, data) => write(answer, stream, offset, data),
    finish(outcome, mac) {
      payload.close();
      return finish(answer, outcome, mac);
    },
    close() {
      unpark(answer);
      close(answer);
      payload.close();
    },
  };
}

/** What became of an answer. */
interface Answer {
  readonly layout: Layout;
  readonly id: RequestId;
  readonly protocol: ProtocolNumber;
  readonly wasSent: boolean;
  /**
   * An earlier session completed the answer and broke before its ack reached dom0: the same answer
   * comes once more, and the files may already belong to the client.
   */
  readonly wasWhole: boolean;
  readonly files: Map<StreamNumber, Deno.FsFile>;
  /** Bytes. */
  readonly received: Map<StreamNumber, number>;
  /** Why the output cannot be stored. */
  failure: string | null;
  parked: boolean;
}

function close({ files }: Answer): void {
  for (const file of files.values()) file.close();
  files.clear();
}

function fail(answer: Answer, why: string): void {
  answer.failure = why;
  close(answer);
  dropOutput(answer.layout, answer.id);
}

function unpark(answer: Answer): boolean {
  const was = answer.parked;
  answer.parked = false;
  if (was) showParked(answer.layout, answer.id, false);
  return was;
}

function write(
  answer: Answer,
  stream: StreamNumber,
  offset: number,
  data: Uint8Array,
): boolean {
  unpark(answer);
  answer.received.set(stream, offset + data.length);
  if (answer.wasWhole || answer.failure !== null) return answer.failure === null;
  // The offset is where the file stands: the session accepts no other.
  const why = attempt(() => writeAll(fileOf(answer, stream), data));
  if (why !== null) fail(answer, why);
  return why === null;
}

function fileOf({ layout, id, files }: Answer, stream: StreamNumber): Deno.FsFile {
  const file = files.get(stream) ?? openOutput(layout, id, stream);
  files.set(stream, file);
  return file;
}

function finish(answer: Answer, outcome: Outcome, mac: Uint8Array): string | null {
  const { layout, id, received } = answer;
  close(answer);
  const [out, err] = [received.get(1) ?? 0, received.get(2) ?? 0];
  if (out !== outcome.out.bytes || err !== outcome.err.bytes) {
    throw new ProtocolError("unexpected", "outcome with other output than was sent");
  }
  if (answer.wasWhole) return null;
  const why = answer.failure ?? attempt(() => publish(answer, outcome, mac));
  if (why === null) return null;
  fail(answer, why);
  const text = `qvmremote.Queue: could not be stored here: ${why}\n`;
  answerLocally(layout, id, outcome.nonce, { kind: "not-stored", reason: null }, text);
  return why;
}

/** What dom0 says to a request that it took, and whose outcome it does not keep any more. */
const NOT_KEPT: ReadonlySet<RefusalReason | null> = new Set(["stale", "replay"] as const);

function publish(
  { layout, id, protocol, wasSent }: Answer,
  outcome: Outcome,
  mac: Uint8Array,
): void {
  if (wasSent && NOT_KEPT.has(outcome.reason)) { // "refused" would say that it did not run
    const text = `qvmremote.Queue: dom0 does not keep its outcome any more, ` +
      `and says to it now: ${REFUSAL_TEXT[outcome.reason ?? "stale"]}\n`;
    return answerLocally(layout, id, outcome.nonce, { kind: "interrupted", reason: null }, text);
  }
  if (protocol === 2) return publishOutcome(layout, outcome, mac);
  if (outcome.kind === "refused") clear(layout, `${layout.pending}/${id}.cmd`);
  publishOutcome(layout, outcome, null, v1Note(outcome));
}

/** What the original's client prints: it knows only stdout, stderr and a number. */
function v1Note({ id, kind, reason, durationMs }: Outcome): string {
  if (kind === "done") return "";
  if (kind === "timeout") {
    return `qvm-remote-dom0: command timed out after ${Math.round(durationMs / 1000)}s\n`;
  }
  return `qvm-remote-dom0: ${reason === null ? kind : REFUSAL_TEXT[reason]} for id=${id}\n`;
}
