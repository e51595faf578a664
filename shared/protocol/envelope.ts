// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A request as it lies in the queue and crosses to dom0: a text header, an empty line, the body.
 *
 *     qvm-remote 2
 *     id 20261122-091500-4242-a1b2c3d4
 *     vm work
 *     issued 1795338900123            ms since 1970, UTC
 *     timeout 300000                  ms of wall clock
 *     mode argv                       or: script, op, plan
 *     flags -                         or words: see flags.ts
 *     why restart after the update    the line is there only if a reason is given: see why.ts
 *     payload 7 <64 hex digits>       or: live; the line is there only if it brings one: see payload.ts
 *     nonce 000102030405060708090a0b0c0d0e0f
 *     body 10                         bytes after the empty line
 *     mac <64 hex digits>
 *
 *     qvm-ls\0-q\0
 *
 * Each line once, in this order, one space, one newline: one spelling for one request.
 *
 * The modes op and plan, flags other than "-", and a reason are for sessions in which both sides
 * named the capability "operations"; a payload, for those with "payloads", or if it is live, "streams".
 *
 * @module
 */

import type { AuthKey } from "./auth_key.ts";
import {
  asLatin1,
  type Bytes,
  concat,
  parseDecimal,
  parseHex,
  parseUtf8,
  toHex,
  utf8,
} from "./bytes.ts";
import type { Capability } from "./capability.ts";
import { encodeFlags, NO_FLAGS, parseFlags, type RequestFlag } from "./flags.ts";
import {
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_TIMEOUT_MS,
  MAX_WHY_BYTES,
  MIN_TIMEOUT_MS,
} from "./limits.ts";
import { computeMac, MAC_BYTES, macInput, verifyMac } from "./mac.ts";
import { type Brings, encodePayload, LIVE, parsePayload } from "./payload.ts";
import { ProtocolError } from "./refusal.ts";
import { parseRequestId, type RequestId } from "./request_id.ts";
import { parseVmName, type VmName } from "./vm_name.ts";
import { parseWhy } from "./why.ts";

export const NONCE_BYTES = 16;
export const ENVELOPE_MAGIC = "qvm-remote 2\n";

/** What the body is: command.ts reads it. */
export type Mode = "argv" | "script" | "op" | "plan";

/** What a client asks for; every field is under the MAC. */
export interface RequestFields {
  readonly id: RequestId;
  readonly vm: VmName;
  readonly issuedAtMs: number;
  readonly timeoutMs: number;
  readonly mode: Mode;
  readonly flags: ReadonlySet<RequestFlag>;
  /** Why the VM wants it, as it says; null if it does not. */
  readonly why: string | null;
  /** 32 hex digits. */
  readonly nonce: string;
  readonly body: Bytes;
  /** What it brings; null: nothing. */
  readonly payload: Brings;
}

/** The fields of a request that is simply to be run. */
export const PLAIN_REQUEST: Pick<RequestFields, "flags" | "why" | "payload"> = {
  flags: NO_FLAGS,
  why: null,
  payload: null,
};

/**
 * What both sides must have named before this may be sent.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(neededCapabilities({ mode: "argv", ...PLAIN_REQUEST }), []);
 * assertEquals(neededCapabilities({ mode: "op", ...PLAIN_REQUEST }), ["operations"]);
 * ```
 */
export function neededCapabilities(
  { mode, flags, why, payload }: Pick<RequestFields, "mode" | "flags" | "why" | "payload">,
): readonly Capability[] {
  const isFirstForm = (mode === "argv" || mode === "script") && flags.size === 0 && why === null;
  return [
    ...isFirstForm ? [] : ["operations" as const],
    ...payload === null ? [] : [payload === LIVE ? "streams" as const : "payloads" as const],
  ];
}

/** Only known to be well-formed: its maker may not hold the key. */
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
    "id (?<id>[^\n]{1,64})\n" +
    "vm (?<vm>[^\n]{1,64})\n" +
    "issued (?<issued>[0-9]{1,16})\n" +
    "timeout (?<timeout>[0-9]{1,16})\n" +
    "mode (?<mode>argv|script|op|plan)\n" +
    "flags (?<flags>[a-z,-]{1,32})\n" +
    `(?:why (?<why>[^\n]{1,${MAX_WHY_BYTES}})\n)?` +
    "(?:payload (?:(?<live>live)|(?<payload>[0-9]{1,16}) (?<hash>[0-9a-f]{64}))\n)?" +
    "nonce (?<nonce>[0-9a-f]{32})\n" +
    "body (?<size>[0-9]{1,16})\n" +
    "mac (?<mac>[0-9a-f]{64})\n" +
    "\n",
  "d", // where the reason lies: it is UTF-8, and everything else ASCII
);

/**
 * @throws {ProtocolError} "bad-envelope", "bad-id", "bad-name", "bad-argument" or "too-long"
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * const untrusted = new TextEncoder().encode("qvm-remote 1\n");
 * assertThrows(() => parseEnvelope(untrusted), Error, "header");
 * ```
 */
export function parseEnvelope(untrustedBytes: Uint8Array): UnverifiedRequest {
  const header = HEADER.exec(asLatin1(untrustedBytes.subarray(0, MAX_HEADER_BYTES)));
  if (header === null) throw new ProtocolError("bad-envelope", "header");
  const lines = header.groups ?? {};
  const body = untrustedBytes.slice(header[0].length);
  if (body.length > MAX_BODY_BYTES) throw new ProtocolError("too-long", "body");
  const { id = "", vm = "", issued = "", timeout = "", flags = "", nonce = "", mac = "" } = lines;
  const { size = "" } = lines;
  if (parseDecimal(size, 0, MAX_BODY_BYTES) !== body.length) {
    throw new ProtocolError("bad-envelope", `body of ${body.length} bytes, not ${size}`);
  }
  const whyAt = header.indices?.groups?.why;
  const fields: RequestFields = {
    id: parseRequestId(id),
    vm: parseVmName(vm),
    issuedAtMs: parseDecimal(issued, 0, Number.MAX_SAFE_INTEGER),
    timeoutMs: parseDecimal(timeout, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS),
    mode: modeOf(lines.mode),
    flags: parseFlags(flags),
    why: whyAt === undefined ? null : parseWhy(parseUtf8(untrustedBytes.subarray(...whyAt))),
    nonce,
    body,
    payload: parseBrings(lines),
  };
  checkFlags(fields);
  return { fields, untrustedMac: parseHex(mac, MAC_BYTES) };
}

function parseBrings({ live, payload, hash = "" }: Record<string, string | undefined>): Brings {
  if (live !== undefined) return LIVE;
  return payload === undefined ? null : parsePayload(payload, hash);
}

/** The header's grammar has no other. */
function modeOf(word = ""): Mode {
  return word === "argv" || word === "op" || word === "plan" ? word : "script";
}

function checkFlags({ flags, mode }: RequestFields): void {
  if (flags.has("json") && mode !== "op") {
    throw new ProtocolError("bad-argument", `json of mode ${mode}`);
  }
}

/**
 * Signs a request and gives the bytes of its file.
 *
 * @throws {ProtocolError} "bad-argument" for a reason or flags that cannot be sent
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 * import { parseRequestId } from "./request_id.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const fields = {
 *   id: parseRequestId("20261122-101500-4242-0a1b2c3d"),
 *   vm: parseVmName("work"),
 *   issuedAtMs: Date.UTC(2026, 10, 22, 10, 15),
 *   timeoutMs: 300_000,
 *   mode: "argv" as const,
 *   nonce: "0".repeat(32),
 *   body: new TextEncoder().encode("hostname\0"),
 *   ...PLAIN_REQUEST,
 * };
 * const key = await parseAuthKey("0".repeat(64));
 * const { fields: read } = parseEnvelope(await sealEnvelope(fields, key));
 * assertEquals(read.vm, fields.vm);
 * ```
 */
export async function sealEnvelope(fields: RequestFields, key: AuthKey): Promise<Bytes> {
  checkFlags(fields);
  const why = fields.why === null ? "" : `why ${parseWhy(fields.why)}\n`;
  const payload = fields.payload === null ? "" : `payload ${encodePayload(fields.payload)}\n`;
  const mac = await computeMac(key.protocol2, requestMacInput(fields));
  const header =
    `${ENVELOPE_MAGIC}id ${fields.id}\nvm ${fields.vm}\nissued ${fields.issuedAtMs}\n` +
    `timeout ${fields.timeoutMs}\nmode ${fields.mode}\nflags ${encodeFlags(fields.flags)}\n` +
    `${why}${payload}nonce ${fields.nonce}\nbody ${fields.body.length}\nmac ${toHex(mac)}\n\n`;
  return concat([utf8(header), fields.body]);
}

/**
 * null if the MAC is not the one that the key makes.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 * import { parseRequestId } from "./request_id.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const fields = {
 *   id: parseRequestId("20261122-101500-4242-0a1b2c3d"),
 *   vm: parseVmName("work"),
 *   issuedAtMs: Date.UTC(2026, 10, 22, 10, 15),
 *   timeoutMs: 300_000,
 *   mode: "argv" as const,
 *   nonce: "0".repeat(32),
 *   body: new TextEncoder().encode("hostname\0"),
 *   ...PLAIN_REQUEST,
 * };
 * const key = await parseAuthKey("0".repeat(64));
 * const other = await parseAuthKey("1".repeat(64));
 * const unverified = parseEnvelope(await sealEnvelope(fields, key));
 * assert(await authenticate(unverified, key) !== null);
 * assertEquals(await authenticate(unverified, other), null);
 * ```
 */
export async function authenticate(
  { fields, untrustedMac }: UnverifiedRequest,
  key: AuthKey,
): Promise<AuthenticRequest | null> {
  const input = requestMacInput(fields);
  if (!await verifyMac(key.protocol2, untrustedMac, input)) return null;
  return { ...fields, protocol: 2, digest: toHex(untrustedMac) } as AuthenticRequest;
}

/**
 * The exact bytes under a request's MAC.
 *
 * @example
 * ```ts
 * import { assertNotEquals } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const fields = {
 *   id: parseRequestId("20261122-101500-4242-0a1b2c3d"),
 *   vm: parseVmName("work"),
 *   issuedAtMs: Date.UTC(2026, 10, 22, 10, 15),
 *   timeoutMs: 300_000,
 *   mode: "argv" as const,
 *   nonce: "0".repeat(32),
 *   body: new TextEncoder().encode("hostname\0"),
 *   ...PLAIN_REQUEST,
 * };
 * assertNotEquals(requestMacInput(fields), requestMacInput({ ...fields, timeoutMs: 1000 }));
 * ```
 */
export function requestMacInput(fields: RequestFields): Bytes {
  const { why, payload, body } = fields;
  const all = [
    fields.id,
    fields.vm,
    String(fields.issuedAtMs),
    String(fields.timeoutMs),
    fields.mode,
    encodeFlags(fields.flags),
    fields.nonce,
  ];
  // A label of its own: a reason that reads like a payload is not one.
  return payload === null
    ? macInput("qvm-remote/2/request", [...all, ...(why === null ? [] : [why]), body])
    : macInput("qvm-remote/2/request-with-payload", [
      ...all,
      why ?? "", // a reason has one character at least
      encodePayload(payload),
      body,
    ]);
}

/**
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert(makeNonce() !== makeNonce());
 * ```
 */
export function makeNonce(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
}
