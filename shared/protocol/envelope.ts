// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A request as it lies in the queue and crosses to dom0: a text header, an empty line, the body.
 *
 *     qvm-remote 2
 *     id 20261122-091500-4242-a1b2c3d4
 *     vm work
 *     issued 1795338900123            ms since 1970, UTC
 *     timeout 300000                  ms of wall clock
 *     mode argv                       or: script
 *     flags -                         none are defined in protocol 2
 *     nonce 000102030405060708090a0b0c0d0e0f
 *     body 10                         bytes after the empty line
 *     mac <64 hex digits>
 *
 *     qvm-ls\0-q\0
 *
 * Each line once, in this order, one space, one newline: one spelling for one request.
 *
 * @module
 */

import type { AuthKey } from "./auth_key.ts";
import { asLatin1, type Bytes, concat, parseDecimal, parseHex, toHex, utf8 } from "./bytes.ts";
import { MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS } from "./limits.ts";
import { computeMac, MAC_BYTES, macInput, verifyMac } from "./mac.ts";
import { ProtocolError } from "./refusal.ts";
import { parseRequestId, type RequestId } from "./request_id.ts";
import { parseVmName, type VmName } from "./vm_name.ts";

export const NONCE_BYTES = 16;
export const ENVELOPE_MAGIC = "qvm-remote 2\n";

export type Mode = "argv" | "script";

/** What a client asks for; every field is under the MAC. */
export interface RequestFields {
  readonly id: RequestId;
  readonly vm: VmName;
  readonly issuedAtMs: number;
  readonly timeoutMs: number;
  readonly mode: Mode;
  /** 32 hex digits. */
  readonly nonce: string;
  readonly body: Bytes;
}

/** Well-formed, and nothing more: whoever made it may not hold the key. */
export interface UnverifiedRequest {
  readonly fields: RequestFields;
  readonly untrustedMac: Bytes;
}

declare const brand: unique symbol;
/** A request that the holder of the VM's key made. Made only by this file and v1.ts. */
export type AuthenticRequest = RequestFields & {
  readonly protocol: 1 | 2;
  /** Tells a request sent again from another request with the same id. */
  readonly digest: string;
  readonly [brand]: "AuthenticRequest";
};

const HEADER = new RegExp(
  "^qvm-remote 2\n" +
    "id ([^\n]{1,64})\n" +
    "vm ([^\n]{1,64})\n" +
    "issued ([0-9]{1,16})\n" +
    "timeout ([0-9]{1,16})\n" +
    "mode (argv|script)\n" +
    "flags -\n" +
    "nonce ([0-9a-f]{32})\n" +
    "body ([0-9]{1,16})\n" +
    "mac ([0-9a-f]{64})\n" +
    "\n",
);

/** @throws {ProtocolError} "bad-envelope", "bad-id", "bad-name", "bad-argument" or "too-long" */
export function parseEnvelope(untrustedBytes: Uint8Array): UnverifiedRequest {
  const header = HEADER.exec(asLatin1(untrustedBytes.subarray(0, MAX_HEADER_BYTES)));
  if (header === null) throw new ProtocolError("bad-envelope", "header");
  const [
    whole,
    id = "",
    vm = "",
    issued = "",
    timeout = "",
    mode,
    nonce = "",
    size = "",
    mac = "",
  ] = header;
  const body = untrustedBytes.slice(whole.length);
  if (body.length > MAX_BODY_BYTES) throw new ProtocolError("too-long", "body");
  if (parseDecimal(size, 0, MAX_BODY_BYTES) !== body.length) {
    throw new ProtocolError("bad-envelope", `body of ${body.length} bytes, not ${size}`);
  }
  return {
    fields: {
      id: parseRequestId(id),
      vm: parseVmName(vm),
      issuedAtMs: parseDecimal(issued, 0, Number.MAX_SAFE_INTEGER),
      timeoutMs: parseDecimal(timeout, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS),
      mode: mode === "argv" ? "argv" : "script",
      nonce,
      body,
    },
    untrustedMac: parseHex(mac, MAC_BYTES),
  };
}

/** Signs a request and gives the bytes of its file. */
export async function sealEnvelope(fields: RequestFields, key: AuthKey): Promise<Bytes> {
  const mac = await computeMac(key.protocol2, requestMacInput(fields));
  const header =
    `${ENVELOPE_MAGIC}id ${fields.id}\nvm ${fields.vm}\nissued ${fields.issuedAtMs}\n` +
    `timeout ${fields.timeoutMs}\nmode ${fields.mode}\nflags -\nnonce ${fields.nonce}\n` +
    `body ${fields.body.length}\nmac ${toHex(mac)}\n\n`;
  return concat([utf8(header), fields.body]);
}

/** null if the MAC is not the one that the key makes. */
export async function authenticate(
  { fields, untrustedMac }: UnverifiedRequest,
  key: AuthKey,
): Promise<AuthenticRequest | null> {
  const input = requestMacInput(fields);
  if (!await verifyMac(key.protocol2, untrustedMac, input)) return null;
  return { ...fields, protocol: 2, digest: toHex(untrustedMac) } as AuthenticRequest;
}

/** The exact bytes under a request's MAC. */
export function requestMacInput(fields: RequestFields): Bytes {
  return macInput("qvm-remote/2/request", [
    fields.id,
    fields.vm,
    String(fields.issuedAtMs),
    String(fields.timeoutMs),
    fields.mode,
    "-",
    fields.nonce,
    fields.body,
  ]);
}

export function makeNonce(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
}
