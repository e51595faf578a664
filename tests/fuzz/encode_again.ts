// SPDX-License-Identifier: GPL-2.0-or-later
/** What was decoded, as the bytes it must have come from. For tests. @module */

import { type Bytes, concat, toHex, utf8 } from "../../shared/protocol/bytes.ts";
import type { UnverifiedRequest } from "../../shared/protocol/envelope.ts";
import { encodeFlags } from "../../shared/protocol/flags.ts";
import { encodePayload } from "../../shared/protocol/payload.ts";
import { CHUNK_ROOM_BYTES, encodeFromVm, type FromVm } from "../../shared/protocol/message.ts";

/** The file of a request as it was parsed, with whatever MAC it had. */
export function encodeUnverified({ fields, untrustedMac }: UnverifiedRequest): Bytes {
  const lines = [
    "qvm-remote 2",
    `id ${fields.id}`,
    `vm ${fields.vm}`,
    `issued ${fields.issuedAtMs}`,
    `timeout ${fields.timeoutMs}`,
    `mode ${fields.mode}`,
    `flags ${encodeFlags(fields.flags)}`,
    ...(fields.why === null ? [] : [`why ${fields.why}`]),
    ...(fields.payload === null ? [] : [`payload ${encodePayload(fields.payload)}`]),
    `nonce ${fields.nonce}`,
    `body ${fields.body.length}`,
    `mac ${toHex(untrustedMac)}`,
    "",
    "",
  ];
  return concat([utf8(lines.join("\n")), fields.body]);
}

/** A request and a chunk are sent as the bytes of their files, so those are made from their fields. */
export function encodeFromVmAgain(message: FromVm): Bytes {
  if (message.kind === "chunk") {
    const { kind, seq, offset, isEnd, untrustedMac, data } = message;
    const room = new Uint8Array(CHUNK_ROOM_BYTES);
    const wire = concat([room, new Uint8Array([isEnd ? 1 : 0]), untrustedMac, data]);
    return encodeFromVm({ kind, seq, offset, wire });
  }
  if (message.kind !== "request") return encodeFromVm(message);
  const envelope = encodeUnverified(message.request);
  return encodeFromVm({ kind: "request", seq: message.seq, envelope });
}
