// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The vectors in tests/vectors: what goes in, and what must come of it. They were computed
 * apart from this code (Python's hmac, hashlib and struct; OpenSSL for GMAC), so that both can be wrong only in
 * the same way by accident.
 *
 * @module
 */

import { assert } from "@std/assert";
import { type Bytes, utf8 } from "../../../shared/protocol/bytes.ts";
import { ProtocolError, type Violation } from "../../../shared/protocol/refusal.ts";

const FOLDER = new URL("../../vectors/", import.meta.url);

export interface Vector {
  readonly name: string;
  /** "ok", or the word with which it is refused. */
  readonly expect: string;
}

/** How many cases each file has at least: a corpus must not vanish quietly. */
export const CASES: Readonly<Record<string, number>> = {
  answer: 27,
  auth_key: 21,
  chunk: 14,
  command: 53,
  decimal: 29,
  envelope: 151,
  envelope_seal: 38,
  flags: 18,
  frame: 25,
  freshness: 15,
  from_dom0: 76,
  from_vm: 82,
  hex: 24,
  mac: 11,
  meta: 97,
  mux_message: 50,
  mux_session: 67,
  outcome_mac: 31,
  printable: 22,
  request_id: 56,
  v1_token: 15,
  vm_name: 39,
  why: 27,
};

export function readVectors<Case extends Vector>(file: string): readonly Case[] {
  const cases: Case[] = JSON.parse(Deno.readTextFileSync(new URL(`${file}.json`, FOLDER)));
  const least = CASES[file] ?? Infinity;
  assert(cases.length >= least, `${file}.json has ${cases.length} cases, want ${least}`);
  const names = new Set(cases.map(({ name }) => name));
  assert(names.size === cases.length, `${file}.json has two cases of one name`);
  return cases;
}

/** One test for each case of the file. */
export function testVectors<Case extends Vector>(
  file: string,
  check: (vector: Case) => void | Promise<void>,
): void {
  for (const vector of readVectors<Case>(file)) {
    Deno.test(`${file} vector: ${vector.name}: ${vector.expect}`, () => check(vector));
  }
}

/** Bytes of a vector: text where it can be read, hex where not. */
export function inputBytes(vector: { readonly input?: string; readonly inputHex?: string }): Bytes {
  if (vector.input !== undefined) return utf8(vector.input);
  return fromHex(vector.inputHex ?? "");
}

/** Not parseHex(), which is under test. */
export function fromHex(hex: string): Bytes {
  return new Uint8Array((hex.match(/../g) ?? []).map((digits) => Number(`0x${digits}`)));
}

/** The word a call is refused with, or "ok". Any other error is a failure and goes on. */
export function verdict(run: () => unknown): Violation | "ok" {
  try {
    run();
    return "ok";
  } catch (error) {
    return violationOf(error);
  }
}

export async function verdictOf(promise: PromiseLike<unknown>): Promise<Violation | "ok"> {
  try {
    await promise;
    return "ok";
  } catch (error) {
    return violationOf(error);
  }
}

function violationOf(error: unknown): Violation {
  if (error instanceof ProtocolError) return error.violation;
  throw error;
}

/** A value with every array of bytes as hex and every set as an array, so that a difference can be read. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `hex:${Array.from(value, twoDigits).join("")}`;
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}

const twoDigits = (byte: number): string => byte.toString(16).padStart(2, "0");
