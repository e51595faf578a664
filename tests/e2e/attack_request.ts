// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests for attacks: a good one, and what can be made of it. @module */

import type { AuthKey } from "../../shared/protocol/auth_key.ts";
import { asLatin1, type Bytes, concat, uint32, utf8 } from "../../shared/protocol/bytes.ts";
import {
  makeNonce,
  PLAIN_REQUEST,
  type RequestFields,
  sealEnvelope,
} from "../../shared/protocol/envelope.ts";
import { makeRequestId } from "../../shared/protocol/request_id.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

/** A script, or all fields of the request that are to be other than usual. */
export type Wishes = Partial<RequestFields>;

export function scriptFields(vm: VmName, script: string, wishes: Wishes = {}): RequestFields {
  return {
    id: makeRequestId(Date.now(), 4242, crypto.getRandomValues(new Uint32Array(1))[0] ?? 0),
    vm,
    issuedAtMs: Date.now(),
    timeoutMs: 60_000,
    mode: "script",
    ...PLAIN_REQUEST,
    nonce: makeNonce(),
    body: utf8(script),
    ...wishes,
  };
}

/** The file of a request that dom0 takes. */
export function sealScript(
  vm: VmName,
  key: AuthKey,
  script: string,
  wishes: Wishes = {},
): Promise<Bytes> {
  return sealEnvelope(scriptFields(vm, script, wishes), key);
}

/** Another text in the place of a text; whatever was signed, stays signed. */
export function replaceText(bytes: Bytes, from: string | RegExp, to: string): Bytes {
  const text = asLatin1(bytes);
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`nothing to replace: ${from}`);
  return Uint8Array.from(changed, (char) => char.charCodeAt(0));
}

/** A frame with a length of the attacker's choice. */
export function rawFrame(type: number, payload: Uint8Array, length = 1 + payload.length): Bytes {
  return concat([uint32(length), new Uint8Array([type]), payload]);
}

/** A frame "request-v1"; nothing of it is checked here. */
export function rawV1(seq: number, id: string, token: string, body: string): Bytes {
  const name = Uint8Array.from(id, (char) => char.charCodeAt(0));
  const head = [uint32(seq), new Uint8Array([name.length & 0xff]), name];
  return rawFrame(0x83, concat([...head, utf8(token), utf8(body)]));
}
