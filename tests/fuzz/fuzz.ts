// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Fuzzes every decoder of the protocol.
 *
 *     deno run -A tests/fuzz/fuzz.ts [SECONDS [SEED]]   for that long; 60 by default
 *     deno run -A tests/fuzz/fuzz.ts TARGET HEX         one input again
 *
 * Exit code 0: nothing broke. 1: something did, and how to see it again is printed. 2: usage.
 *
 * @module
 */

import { parseDecimal, parseHex } from "../../shared/protocol/bytes.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { failureText, inputOf, runOne, TARGETS } from "./targets.ts";

const DEFAULT_SECONDS = 60;
const MAX_SECONDS = 7 * 24 * 3600;
const INPUTS_PER_TURN = 2_000;
const PROGRESS_MS = 5000;

async function main(args: readonly string[]): Promise<number> {
  const target = TARGETS.find(({ name }) => name === args[0]);
  if (target !== undefined) {
    const hex = args[1] ?? "";
    const input = parseHex(hex, hex.length / 2);
    console.log(`${target.name}: ${await runOne(target, input)}`);
    return 0;
  }
  const [seconds = String(DEFAULT_SECONDS), seed = String(Date.now() % 2 ** 31)] = args;
  return await fuzz(
    parseDecimal(seconds, 1, MAX_SECONDS),
    parseDecimal(seed, 0, 2 ** 31),
  );
}

async function fuzz(seconds: number, seed: number): Promise<number> {
  console.log(`fuzz: seed ${seed}, ${TARGETS.length} targets, ${seconds} s`);
  const endMs = performance.now() + 1000 * seconds;
  const done = { accepted: 0, refused: 0 };
  let toldMs = performance.now();
  for (let from = 0; performance.now() < endMs; from += INPUTS_PER_TURN) {
    for (const target of TARGETS) {
      for (let index = from; index < from + INPUTS_PER_TURN; index++) {
        const input = inputOf(target, seed, index);
        try {
          done[await runOne(target, input)]++;
        } catch (error) {
          console.error(`fuzz: ${failureText(target, seed, input, error)}`);
          return 1;
        }
      }
      if (performance.now() - toldMs > PROGRESS_MS) {
        toldMs = performance.now();
        console.log(`fuzz: ${done.accepted} accepted, ${done.refused} refused, seed ${seed}`);
      }
      if (performance.now() >= endMs) break;
    }
  }
  console.log(`fuzz: ok: ${done.accepted} accepted, ${done.refused} refused, seed ${seed}`);
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    const usage = error instanceof ProtocolError;
    console.error(usage ? "usage: fuzz.ts [SECONDS [SEED]] | fuzz.ts TARGET HEX" : error);
    Deno.exit(usage ? 2 : 1);
  }
}
