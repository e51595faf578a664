// SPDX-License-Identifier: GPL-2.0-or-later
/** Reads an answer and believes only what dom0 signed for this very request. @module */

import { ifPresent, readSmall } from "../../../shared/io/files.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import { asLatin1, type Bytes } from "../../../shared/protocol/bytes.ts";
import { MAX_META_BYTES } from "../../../shared/protocol/limits.ts";
import { MAC_BYTES } from "../../../shared/protocol/mac.ts";
import {
  type Outcome,
  type OutcomeKind,
  parseMeta,
  type StreamSummary,
  verifyOutcome,
} from "../../../shared/protocol/outcome.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { V1_NONCE } from "../../../shared/protocol/v1.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import type { Copied } from "./follower.ts";
import { findPart, presentPath } from "../files/archive.ts";
import type { Layout, ResultPart } from "../files/layout.ts";

export type Answer =
  /** @property signed false if it comes from this VM's own queue service */
  | { readonly kind: "valid"; readonly outcome: Outcome; readonly signed: boolean }
  | { readonly kind: "invalid"; readonly why: string; readonly hints: readonly string[] };

/** What the queue service may answer without dom0: none of these says that a command ran. */
const LOCAL_KINDS: ReadonlySet<OutcomeKind> = new Set(
  ["refused", "cancelled", "interrupted", "not-stored"] as const,
);

export async function readAnswer(
  layout: Layout,
  request: { readonly id: RequestId; readonly nonce: string },
  key: AuthKey,
  vm: VmName,
): Promise<Answer> {
  try {
    const read = (part: "meta" | "mac" | "exit", maxBytes: number) =>
      readPart(layout, request.id, part, maxBytes);
    const meta = await read("meta", MAX_META_BYTES);
    const mac = await read("mac", 2 * MAC_BYTES);
    const exit = await read("exit", 3);
    if (meta === undefined || exit === undefined) return foreign();
    const outcome = parseMeta(meta);
    if (outcome.id !== request.id || asLatin1(exit) !== String(outcome.exitCode)) return foreign();
    if (mac === undefined) {
      const local = LOCAL_KINDS.has(outcome.kind) &&
        (outcome.nonce === V1_NONCE || outcome.nonce === request.nonce);
      return local ? { kind: "valid", outcome, signed: false } : foreign();
    }
    if (!await verifyOutcome(key, vm, outcome, asLatin1(mac))) return wrongKey();
    return outcome.nonce === request.nonce ? { kind: "valid", outcome, signed: true } : foreign();
  } catch (error) {
    if (error instanceof ProtocolError) return foreign();
    throw error;
  }
}

async function readPart(
  layout: Layout,
  id: RequestId,
  part: ResultPart,
  maxBytes: number,
): Promise<Bytes | undefined> {
  for (let tries = 0; tries < 2; tries++) { // it may go to the history before it is opened
    const path = findPart(layout, id, part, presentPath);
    const bytes = path === undefined ? undefined : await ifPresent(readSmall(path, maxBytes));
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

function foreign(): Answer {
  return { kind: "invalid", why: "the answer does not belong to this request", hints: [] };
}

function wrongKey(): Answer {
  return {
    kind: "invalid",
    why: "the answer is not signed with this VM's key",
    hints: [
      "the key here and the one in dom0 differ: compare",
      '"qvm-remote key fingerprint" here with "qvm-remote-dom0 keys" in dom0',
    ],
  };
}

/** Whether the copied output is the one in the outcome. */
export function isSame(copied: Copied, summary: StreamSummary): boolean {
  return copied.bytes === summary.bytes && copied.sha256 === summary.sha256;
}
