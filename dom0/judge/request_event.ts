// SPDX-License-Identifier: GPL-2.0-or-later
/** A request of either protocol, as a session delivers it: whose it is, what it asks. @module */

import { sha256Hex } from "../../shared/io/sha256.ts";
import type { AuthKey } from "../../shared/protocol/auth_key.ts";
import { type Command, describeCommand, parseCommand } from "../../shared/protocol/command.ts";
import type { VmEvent } from "../../shared/protocol/dom0_session.ts";
import { authenticate, type AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { LIVE } from "../../shared/protocol/payload.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { authenticateV1, V1_NONCE } from "../../shared/protocol/v1.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { JudgedForm } from "../policy/judge.ts";
import type { AuditFields } from "../record/audit_chain.ts";

/** How much of a VM's text a record keeps; the SHA-256 covers all of it. */
export const AUDITED_CHARS = 200;

export type RequestEvent = Extract<VmEvent, { kind: "request" | "request-v1" }>;

/** Id and nonce as the request says them, for a refusal that comes before its MAC is known. */
export function claimOf(event: RequestEvent): { readonly id: RequestId; readonly nonce: string } {
  if (event.kind === "request-v1") return { id: event.request.id, nonce: V1_NONCE };
  const { id, nonce } = event.request.fields;
  return { id, nonce };
}

export function authenticateEvent(
  event: RequestEvent,
  key: AuthKey,
  vm: VmName,
): Promise<AuthenticRequest | null> {
  return event.kind === "request"
    ? authenticate(event.request, key)
    : authenticateV1(event.request, key, vm);
}

/** null: not a valid body, or something that this daemon cannot do. */
export function commandOrNull({ mode, body }: AuthenticRequest): JudgedForm | null {
  try {
    return parseCommand(mode, body);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** What the audit says of a command. */
export function described(request: AuthenticRequest, command: Command): AuditFields {
  return {
    mode: request.mode,
    timeout_ms: request.timeoutMs,
    command: describeCommand(command).slice(0, AUDITED_CHARS),
    body_bytes: request.body.length,
    body_sha256: sha256Hex(request.body),
    ...describedPayload(request),
  };
}

function describedPayload({ payload }: AuthenticRequest): AuditFields {
  if (payload === null) return {};
  if (payload === LIVE) return { payload: LIVE };
  return { payload_bytes: payload.bytes, payload_sha256: payload.sha256 };
}
