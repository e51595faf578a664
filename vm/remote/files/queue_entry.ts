// SPDX-License-Identifier: GPL-2.0-or-later
/** What lies in the queue under a name: a request of protocol 2, one of protocol 1, or neither. @module */

import { asLatin1, type Bytes, utf8 } from "../../../shared/protocol/bytes.ts";
import type { Capability } from "../../../shared/protocol/capability.ts";
import {
  ENVELOPE_MAGIC,
  neededCapabilities,
  parseEnvelope,
} from "../../../shared/protocol/envelope.ts";
import { MAX_BODY_BYTES, MAX_ENVELOPE_BYTES } from "../../../shared/protocol/limits.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { parseV1Id, type RequestId } from "../../../shared/protocol/request_id.ts";
import { ifPresentSync } from "../../../shared/io/sync_files.ts";
import { attempt } from "./local_failure.ts";

export type QueueEntry =
  | {
    readonly kind: "envelope";
    readonly bytes: Bytes;
    readonly nonce: string;
    /** What both sides must know for it. */
    readonly needs: readonly Capability[];
  }
  /** Perhaps still being written: it is whole when its token is there. */
  | { readonly kind: "v1"; readonly body: Bytes }
  /** Never sent. The text is for the log and for the owner. */
  | { readonly kind: "bad"; readonly why: string }
  | { readonly kind: "absent" };

/** Looks before it opens: a FIFO would block, and a symlink leads elsewhere. */
export function readQueueEntry(path: string, id: RequestId): QueueEntry {
  const info = ifPresentSync(() => Deno.lstatSync(path));
  if (info === undefined) return { kind: "absent" };
  if (!info.isFile) return { kind: "bad", why: "not a regular file" };
  if (info.size > MAX_ENVELOPE_BYTES) return { kind: "bad", why: `${info.size} bytes` };
  let bytes: Bytes | undefined;
  const why = attempt(() =>
    bytes = ifPresentSync(() => readUpTo(path, info, MAX_ENVELOPE_BYTES + 1))
  );
  if (why !== null) return { kind: "bad", why };
  return bytes === undefined ? { kind: "absent" } : parseQueueEntry(bytes, id);
}

/** @param id the name it lies under */
export function parseQueueEntry(untrustedBytes: Bytes, id: RequestId): QueueEntry {
  const magic = utf8(ENVELOPE_MAGIC);
  if (!magic.every((byte, i) => untrustedBytes[i] === byte)) {
    if (untrustedBytes.length > MAX_BODY_BYTES) return { kind: "bad", why: "too large" };
    return { kind: "v1", body: untrustedBytes };
  }
  try {
    const { fields } = parseEnvelope(untrustedBytes);
    if (fields.id !== id) return { kind: "bad", why: "the id in it is another one" };
    const needs = neededCapabilities(fields);
    return { kind: "envelope", bytes: untrustedBytes, nonce: fields.nonce, needs };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { kind: "bad", why: error.message };
  }
}

/** Reads the token of a protocol 1 request; undefined if it is not there or not whole. */
export function readV1Token(path: string): string | undefined {
  const info = ifPresentSync(() => Deno.lstatSync(path));
  if (info === undefined || !info.isFile || info.size > MAX_TOKEN_FILE_BYTES) return undefined;
  let bytes: Bytes | undefined;
  attempt(() => bytes = ifPresentSync(() => readUpTo(path, info, MAX_TOKEN_FILE_BYTES)));
  const untrustedToken = asLatin1(bytes ?? new Uint8Array(0)).trim();
  return /^[0-9a-f]{64}$/.test(untrustedToken) ? untrustedToken : undefined;
}

/** 64 digits, and white space that the original would strip. */
const MAX_TOKEN_FILE_BYTES = 80;

/** The id that a file name is, or undefined. */
export function idOfName(untrustedName: string): RequestId | undefined {
  try {
    return parseV1Id(untrustedName);
  } catch {
    return undefined;
  }
}

/** The id whose companion this file is: ID.auth and ID.cmd belong to protocol 1. */
export function idOfCompanion(untrustedName: string): RequestId | undefined {
  const base = /^(.*)\.(auth|cmd)$/s.exec(untrustedName)?.[1];
  return base === undefined ? undefined : idOfName(base);
}

/** Reads the file that was checked: a link that replaced it is not followed. */
function readUpTo(path: string, seen: Deno.FileInfo, maxBytes: number): Bytes | undefined {
  using file = Deno.openSync(path, { read: true });
  const { dev, ino } = file.statSync();
  if (dev !== seen.dev || ino !== seen.ino) return undefined;
  const bytes = new Uint8Array(Math.min(file.statSync().size, maxBytes));
  let length = 0;
  while (length < bytes.length) {
    const got = file.readSync(bytes.subarray(length)) ?? 0;
    if (got === 0) break;
    length += got;
  }
  return bytes.subarray(0, length);
}
