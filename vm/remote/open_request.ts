// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that dom0 has and that has no outcome yet: where its output goes. @module */

import { writeAll } from "../../shared/io/program.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import type { Outcome } from "../../shared/protocol/outcome.ts";
import { ProtocolError, REFUSAL_TEXT } from "../../shared/protocol/refusal.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import type { Layout } from "./layout.ts";
import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { isAnswered, openOutput, publishOutcome } from "./result_files.ts";

export type ProtocolNumber = 1 | 2;

export interface OpenRequest {
  readonly id: RequestId;
  /** The bytes are in the file when it returns. */
  write(stream: StreamNumber, offset: number, data: Uint8Array): void;
  /** Makes the answer whole. @throws {ProtocolError} if output is missing or too much */
  finish(outcome: Outcome, mac: Uint8Array): void;
  close(): void;
}

export function openRequest(layout: Layout, id: RequestId, protocol: ProtocolNumber): OpenRequest {
  // An earlier session made the answer whole and broke before its ack reached dom0: what comes
  // now is the same once more, and the files may already be the client's.
  const answered = isAnswered(layout, id);
  const files = new Map<StreamNumber, Deno.FsFile>();
  const received = new Map<StreamNumber, number>();

  const close = (): void => {
    for (const file of files.values()) file.close();
    files.clear();
  };
  const fileOf = (stream: StreamNumber): Deno.FsFile => {
    const file = files.get(stream) ?? openOutput(layout, id, stream);
    files.set(stream, file);
    return file;
  };

  return {
    id,
    write(stream, offset, data) {
      received.set(stream, offset + data.length);
      // The offset is where the file stands: the session accepts no other.
      if (!answered) writeAll(fileOf(stream), data);
    },
    finish(outcome, mac) {
      close();
      if (
        (received.get(1) ?? 0) !== outcome.out.bytes || (received.get(2) ?? 0) !== outcome.err.bytes
      ) {
        throw new ProtocolError("unexpected", "outcome with other output than was sent");
      }
      if (answered) return;
      if (protocol === 2) return publishOutcome(layout, outcome, mac);
      if (outcome.kind === "refused") removeIfPresent(`${layout.pending}/${id}.cmd`);
      publishOutcome(layout, outcome, null, v1Note(outcome));
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
