// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What became of a request. Every request gets exactly one outcome. Its text form is the
 * ".meta" file of the queue and, byte for byte, the payload of the outcome frame.
 *
 * @module
 */

import type { AuthKey } from "./auth_key.ts";
import { type Bytes, parseDecimal, parseHex, parseUtf8 } from "./bytes.ts";
import type { Capability } from "./capability.ts";
import { computeMac, MAC_BYTES, macInput, verifyMac } from "./mac.ts";
import { isRefusalReason, ProtocolError, type RefusalReason } from "./refusal.ts";
import { parseV1Id, type RequestId } from "./request_id.ts";
import type { VmName } from "./vm_name.ts";

/** Each kind, and the exit code that goes with it; null where the command's own passes through. */
export const EXIT_OF_KIND = {
  "done": null,
  "timeout": 124,
  "refused": 126,
  "cancelled": 130,
  "interrupted": 130,
  "revoked": 126,
  "locked-down": 126,
  "stopping": 126,
  "output-limit": 137,
  "process-limit": 137,
  "memory-limit": 137,
  "bad-stream": 126,
  "not-stored": 255,
} as const;

export type OutcomeKind = keyof typeof EXIT_OF_KIND;

export interface StreamSummary {
  readonly bytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

export interface Outcome {
  readonly id: RequestId;
  /** The request's nonce; "-" for protocol 1, which has none. */
  readonly nonce: string;
  readonly kind: OutcomeKind;
  /** null unless the kind is "refused". */
  readonly reason: RefusalReason | null;
  /** 0 to 255. */
  readonly exitCode: number;
  /** ms since 1970; null if the command never started. */
  readonly startedAtMs: number | null;
  readonly durationMs: number;
  readonly out: StreamSummary;
  readonly err: StreamSummary;
  /**
   * The limit that ended it, as it was in force: ms, bytes of output, processes, or bytes of
   * memory, by the kind. null if there was none, or it is not known. undefined in the first form,
   * which does not say.
   */
  readonly limit?: number | null;
  /**
   * How many processes it left running, which were ended. null if it left none, or that is not known.
   * undefined in a form that does not say.
   */
  readonly left?: number | null;
}

/** The kinds that a limit causes. */
const LIMIT_KINDS: ReadonlySet<OutcomeKind> = new Set(
  ["timeout", "output-limit", "process-limit", "memory-limit"] as const,
);

/** A word that belongs to a capability, and the nearest one for a session without it. */
interface Later<Word> {
  readonly with: Capability;
  readonly before: Word;
}
const INTERRUPTED = { with: "ends", before: "interrupted" } as const;
/** In a session of a VM that has become older since. */
const BAD_STREAM = { with: "streams", before: "interrupted" } as const;
const LATER_KINDS = new Map<OutcomeKind, Later<"interrupted">>([
  ["revoked", INTERRUPTED],
  ["locked-down", INTERRUPTED],
  ["stopping", INTERRUPTED],
  ["bad-stream", BAD_STREAM],
]);
const LATER_REASONS: ReadonlyMap<RefusalReason | null, Later<RefusalReason>> = new Map([
  ["clock", { with: "ends", before: "stale" }],
  ["not-approved", { with: "operations", before: "policy-denied" }],
  ["approval-expired", { with: "operations", before: "needs-confirmation" }],
  ["bad-operation", { with: "operations", before: "bad-body" }],
  ["bad-plan", { with: "operations", before: "bad-body" }],
  ["bad-payload", { with: "payloads", before: "bad-body" }],
  ["too-many-parked", { with: "operations", before: "overloaded" }],
  ["rate-limited", { with: "operations", before: "overloaded" }],
]);

/**
 * In the form for a peer that knows no more than what both sides have named.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const outcome = refusedOutcome(id, "0".repeat(32), "rate-limited");
 * assertEquals(inAgreedForm(outcome, new Set()).reason, "overloaded"); // for an older peer
 * ```
 */
export function inAgreedForm(outcome: Outcome, common: ReadonlySet<Capability>): Outcome {
  const { limit, left, ...first } = outcome;
  const kind = LATER_KINDS.get(outcome.kind);
  const reason = LATER_REASONS.get(outcome.reason);
  return {
    ...first,
    ...(kind === undefined || common.has(kind.with)
      ? {}
      : { kind: kind.before, exitCode: EXIT_OF_KIND[kind.before] }),
    ...(reason === undefined || common.has(reason.with) ? {} : { reason: reason.before }),
    // An outcome that was kept in the first form has no limit.
    ...(common.has("ends") ? { limit: limit ?? null } : {}),
    ...(common.has("left") ? { left: left ?? null } : {}),
  };
}

/**
 * Whether it is in the one form that goes with what both sides can.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const outcome = refusedOutcome(id, "0".repeat(32), "rate-limited");
 * assert(!isInForm(outcome, new Set()));
 * assert(isInForm(inAgreedForm(outcome, new Set()), new Set()));
 * ```
 */
export function isInForm(
  { limit, left, kind, reason }: Outcome,
  common: ReadonlySet<Capability>,
): boolean {
  const later = [LATER_KINDS.get(kind), LATER_REASONS.get(reason)];
  return common.has("ends") === (limit !== undefined) &&
    common.has("left") === (left !== undefined) &&
    later.every((word) => word === undefined || common.has(word.with));
}

/** SHA-256 of no bytes. */
export const EMPTY_STREAM: StreamSummary = {
  bytes: 0,
  sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
};

/**
 * Whether it is one that only the VM's own service gives, never dom0.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * assert(isOfVm(refusedOutcome(id, "0".repeat(32), "not-sent")));
 * assert(!isOfVm(refusedOutcome(id, "0".repeat(32), "stale")));
 * ```
 */
export function isOfVm({ kind, reason }: Outcome): boolean {
  return kind === "not-stored" || reason === "not-sent" || reason === "not-known";
}

/**
 * @param err what dom0 says of it on stderr, as in the spool of a request that it had taken
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const { kind, reason } = refusedOutcome(id, "0".repeat(32), "stale");
 * assertEquals([kind, reason], ["refused", "stale"]);
 * ```
 */
export function refusedOutcome(
  id: RequestId,
  nonce: string,
  reason: RefusalReason,
  err: StreamSummary = EMPTY_STREAM,
): Outcome {
  return {
    id,
    nonce,
    kind: "refused",
    reason,
    exitCode: EXIT_OF_KIND.refused,
    startedAtMs: null,
    durationMs: 0,
    out: EMPTY_STREAM,
    err,
  };
}

/**
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * assert(encodeMeta(refusedOutcome(id, "0".repeat(32), "stale")).includes("reason=stale\n"));
 * ```
 */
export function encodeMeta(outcome: Outcome): string {
  const started = outcome.startedAtMs;
  return `id=${outcome.id}\n` +
    `nonce=${outcome.nonce}\n` +
    `outcome=${outcome.kind}\n` +
    `reason=${outcome.reason ?? "-"}\n` +
    `exit_code=${outcome.exitCode}\n` +
    `started=${started === null ? "unknown" : new Date(started).toISOString()}\n` +
    `duration_ms=${outcome.durationMs}\n` +
    `out_bytes=${outcome.out.bytes}\n` +
    `out_sha256=${outcome.out.sha256}\n` +
    `err_bytes=${outcome.err.bytes}\n` +
    `err_sha256=${outcome.err.sha256}\n` +
    (outcome.limit === undefined ? "" : `limit=${outcome.limit ?? "-"}\n`) +
    (outcome.left === undefined ? "" : `left=${outcome.left ?? "-"}\n`);
}

const META = new RegExp(
  "^id=([^\n]{1,64})\n" +
    "nonce=([0-9a-f]{32}|-)\n" +
    "outcome=([a-z-]{1,32})\n" +
    "reason=([a-z0-9-]{1,32})\n" +
    "exit_code=([0-9]{1,3})\n" +
    "started=([0-9TZ:.-]{24}|unknown)\n" +
    "duration_ms=([0-9]{1,16})\n" +
    "out_bytes=([0-9]{1,16})\n" +
    "out_sha256=([0-9a-f]{64})\n" +
    "err_bytes=([0-9]{1,16})\n" +
    "err_sha256=([0-9a-f]{64})\n" +
    "(?:limit=([0-9]{1,16}|-)\n)?" +
    "(?:left=([0-9]{1,16}|-)\n)?$",
);

/**
 * @throws {ProtocolError} "bad-meta", "bad-id" or "bad-argument"
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const outcome = refusedOutcome(id, "0".repeat(32), "stale");
 * const bytes = new TextEncoder().encode(encodeMeta(outcome));
 * assertEquals(parseMeta(bytes).reason, "stale");
 * ```
 */
export function parseMeta(untrustedBytes: Uint8Array): Outcome {
  const fields = META.exec(parseUtf8(untrustedBytes));
  if (fields === null) throw new ProtocolError("bad-meta", "fields");
  const [, id = "", nonce = "", kind = "", reason = "", exit = "", started = "", ...rest] = fields;
  const [duration = "", outBytes = "", outHash = "", errBytes = "", errHash = "", limit, left] =
    rest;
  if (!isOutcomeKind(kind)) throw new ProtocolError("bad-meta", "outcome");
  if ((kind === "refused") !== isRefusalReason(reason) || (kind !== "refused" && reason !== "-")) {
    throw new ProtocolError("bad-meta", "reason");
  }
  const exitCode = parseDecimal(exit, 0, 255);
  if (exitCode !== (EXIT_OF_KIND[kind] ?? exitCode)) {
    throw new ProtocolError("bad-meta", `exit code ${exitCode} of ${kind}`);
  }
  const maxBytes = Number.MAX_SAFE_INTEGER;
  return {
    id: parseV1Id(id),
    nonce,
    kind,
    reason: isRefusalReason(reason) ? reason : null,
    exitCode,
    startedAtMs: started === "unknown" ? null : parseTime(started),
    durationMs: parseDecimal(duration, 0, maxBytes),
    out: { bytes: parseDecimal(outBytes, 0, maxBytes), sha256: outHash },
    err: { bytes: parseDecimal(errBytes, 0, maxBytes), sha256: errHash },
    ...(limit === undefined ? {} : { limit: parseLimit(limit, kind) }),
    ...(left === undefined ? {} : { left: parseLeft(left, kind) }),
  };
}

function parseLimit(untrustedText: string, kind: OutcomeKind): number | null {
  if (untrustedText === "-") return null;
  if (!LIMIT_KINDS.has(kind)) throw new ProtocolError("bad-meta", `limit of ${kind}`);
  return parseDecimal(untrustedText, 0, Number.MAX_SAFE_INTEGER);
}

/** Where something else ended the command, all of it was meant to end. */
function parseLeft(untrustedText: string, kind: OutcomeKind): number | null {
  if (untrustedText === "-") return null;
  if (kind !== "done") throw new ProtocolError("bad-meta", `processes left by ${kind}`);
  return parseDecimal(untrustedText, 1, Number.MAX_SAFE_INTEGER);
}

function isOutcomeKind(word: string): word is OutcomeKind {
  return Object.hasOwn(EXIT_OF_KIND, word);
}

function parseTime(untrustedTime: string): number {
  const time = Date.parse(untrustedTime);
  if (Number.isNaN(time) || new Date(time).toISOString() !== untrustedTime) {
    throw new ProtocolError("bad-meta", "started");
  }
  return time;
}

/**
 * The exact bytes under an outcome's MAC.
 *
 * @example
 * ```ts
 * import { assertNotEquals } from "@std/assert";
 * import { parseRequestId } from "./request_id.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const outcome = refusedOutcome(id, "0".repeat(32), "stale");
 * const [one, other] = ["work", "other"].map(parseVmName);
 * assertNotEquals(outcomeMacInput(one!, outcome), outcomeMacInput(other!, outcome));
 * ```
 */
export function outcomeMacInput(vm: VmName, outcome: Outcome): Bytes {
  return macInput("qvm-remote/2/result", [vm, encodeMeta(outcome)]);
}

/**
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 * import { parseRequestId } from "./request_id.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const outcome = refusedOutcome(id, "0".repeat(32), "stale");
 * const key = await parseAuthKey("0".repeat(64));
 * assertEquals((await signOutcome(key, parseVmName("work"), outcome)).length, 32);
 * ```
 */
export function signOutcome(key: AuthKey, vm: VmName, outcome: Outcome): Promise<Bytes> {
  return computeMac(key.protocol2, outcomeMacInput(vm, outcome));
}

/**
 * @param untrustedMacHex the text of the ".mac" file
 * @throws {ProtocolError} "bad-argument" if that is not 64 hex digits
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseAuthKey } from "./auth_key.ts";
 * import { toHex } from "./bytes.ts";
 * import { parseRequestId } from "./request_id.ts";
 * import { parseVmName } from "./vm_name.ts";
 *
 * const id = parseRequestId("20261122-101500-4242-0a1b2c3d");
 * const outcome = refusedOutcome(id, "0".repeat(32), "stale");
 * const [key, vm] = [await parseAuthKey("0".repeat(64)), parseVmName("work")];
 * const mac = toHex(await signOutcome(key, vm, outcome));
 * assert(await verifyOutcome(key, vm, outcome, mac));
 * assert(!await verifyOutcome(key, vm, { ...outcome, reason: "future" }, mac));
 * ```
 */
export async function verifyOutcome(
  key: AuthKey,
  vm: VmName,
  outcome: Outcome,
  untrustedMacHex: string,
): Promise<boolean> {
  const untrustedMac = parseHex(untrustedMacHex, MAC_BYTES);
  return await verifyMac(key.protocol2, untrustedMac, outcomeMacInput(vm, outcome));
}
