// SPDX-License-Identifier: GPL-2.0-or-later
/** `--json`: one object at the end instead of output as it comes. @module */

import { type Bytes, concat, parseUtf8 } from "../../../shared/protocol/bytes.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { visibleJson } from "./visible_text.ts";
import type { RequestEnd, Sink } from "./run_request.ts";

export interface Capture {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** What came so far. */
  bytes(stream: "stdout" | "stderr"): Bytes;
  json(
    id: RequestId,
    end: RequestEnd,
    exitCode: number,
    messages: readonly string[],
  ): string;
}

export function createCapture(): Capture {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  const keep = (list: Uint8Array[]): Sink => (bytes) => {
    list.push(bytes.slice());
    return Promise.resolve();
  };
  return {
    stdout: keep(out),
    stderr: keep(err),
    bytes: (stream) => concat(stream === "stdout" ? out : err),
    json(id, end, exitCode, messages) {
      const answered = end.kind === "answered" ? end.outcome : null;
      return visibleJson({
        id,
        outcome: answered?.kind ?? end.kind,
        reason: answered?.reason ?? null,
        limit: answered?.limit ?? null,
        left: answered?.left ?? null,
        exit: exitCode,
        duration_ms: answered?.durationMs ?? null,
        signed: end.kind === "answered" && end.signed,
        ...asJson("stdout", concat(out)),
        ...asJson("stderr", concat(err)),
        messages,
      }) + "\n";
    },
  };
}

/** Text as text; other bytes as base64, under a name that says so. */
export function asJson(name: string, bytes: Bytes): Readonly<Record<string, string>> {
  try {
    return { [name]: parseUtf8(bytes) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { [`${name}_base64`]: toBase64(bytes) };
  }
}

/** Uint8Array.toBase64() is not there in Deno 2.4.2. */
function toBase64(bytes: Bytes): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
