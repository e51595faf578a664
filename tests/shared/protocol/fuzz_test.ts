// SPDX-License-Identifier: GPL-2.0-or-later
/** Every decoder against seeded noise: refused, or the same bytes again. @module */

import { assert, assertEquals } from "@std/assert";
import { failureText, inputOf, runOne, type Target, TARGETS } from "../../fuzz/targets.ts";
import { createPrng } from "../../fuzz/prng.ts";
import { plain } from "./vectors.ts";

const SEED = 20261122;
const INPUTS = 10_000;
/** So many of the inputs at least must be accepted, and so many refused. */
const LEAST_SHARE = 0.02;

Deno.test("no decoder is missing from the targets of the fuzzer", () => {
  const names = TARGETS.map(({ name }) => name).join(" ");
  const want = "frames-from-vm frames-from-dom0 frames-of-answer decodeFromVm decodeFromDom0 " +
    "decodeAnswer dom0-session parseCapabilities vm-session dom0-session-first dom0-stream vm-stream " +
    "frames-of-mux decodeMux mux-dialer mux-acceptor " +
    "parseEnvelope parseMeta parseVmName parseDom0Path parseRequestId " +
    "parseV1Id parseHex parseDecimal parseCommand-argv parseCommand-script parseCommand-op " +
    "parseCommand-plan parseFlags parseWhy parseAuthKey";
  assertEquals(names, want);
});

for (const target of TARGETS) {
  Deno.test(`${target.name}: ${INPUTS} seeded inputs are refused or come back the same`, async () => {
    const done = { accepted: 0, refused: 0 };
    for (let index = 0; index < INPUTS; index++) {
      const input = inputOf(target, SEED, index);
      try {
        done[await runOne(target, input)]++;
      } catch (error) {
        throw new Error(failureText(target, SEED, input, error));
      }
    }
    const least = INPUTS * LEAST_SHARE;
    assert(done.accepted > least && done.refused > least, `seed ${SEED}: ${JSON.stringify(done)}`);
  });
}

const BROKEN: readonly (Target & { readonly says: string })[] = [
  { name: "throws", corpus: [], again: () => JSON.parse("{"), says: "SyntaxError" },
  { name: "loses a byte", corpus: [], again: (input) => input.slice(1), says: "comes back as" },
  {
    name: "changes a byte",
    corpus: [],
    again: (input) => input.map((byte) => byte ^ 1),
    says: "comes back as",
  },
];

Deno.test("the fuzzer finds a decoder that is broken, and says how to see it again", async () => {
  for (const target of BROKEN) {
    let text = "";
    for (let index = 0; index < 100 && text === ""; index++) {
      const input = inputOf(target, SEED, index);
      await runOne(target, input).catch((error) => {
        text = failureText(target, SEED, input, error);
      });
    }
    assert(text.includes(target.says) && text.includes(`seed ${SEED}`), `${target.name}: ${text}`);
    assert(text.includes("tests/fuzz/fuzz.ts"), "no way to see it again");
  }
});

Deno.test("the same seed makes the same inputs, and another seed others", () => {
  const [target] = TARGETS;
  if (target === undefined) throw new Error("no target");
  const inputs = (seed: number) =>
    Array.from({ length: 200 }, (_, index) => plain(inputOf(target, seed, index))).join();
  assertEquals(inputs(1), inputs(1));
  assert(inputs(1) !== inputs(2), "the seed changes nothing");
});

Deno.test("the random numbers are spread evenly", () => {
  const prng = createPrng(1);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 160_000; i++) {
    const value = prng.below(16);
    counts[value] = (counts[value] ?? 0) + 1;
  }
  for (const [value, count] of counts.entries()) {
    assert(count > 9_500 && count < 10_500, `${value} came ${count} times in 160,000`);
  }
});
