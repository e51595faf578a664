// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CHAIN_START,
  type ChainEnd,
  chainRecord,
  checkChain,
  endOfLine,
} from "../../../dom0/record/audit_chain.ts";

const START: ChainEnd = { seq: 0, hash: CHAIN_START };

/** What a VM may try to put into a record. */
export const HOSTILE: readonly string[] = [
  "line one\nline two",
  '\r{"seq":1,"event":"accepted"}',
  "\x1b]0;title\x07\x1b[31mred\x1b[0m",
  "\u2028\u2029\x85\x0b\x0c\0\x7f",
  '"quoted" \\back\\slash\\',
  `","prev":"${CHAIN_START}","hash":"${CHAIN_START}"}`,
  "\ud800 half a pair, \u{1f600} a whole one, \u202e backwards",
  "x".repeat(300),
  "",
];

function makeChain(): string[] {
  let end: ChainEnd = START;
  return HOSTILE.map((text, index) => {
    const record = chainRecord(end, "2026-11-22T09:15:00.000Z", "test", {
      vm: "work",
      text,
      index,
    });
    end = record;
    return record.line.slice(0, -1);
  });
}

const CHAIN = makeChain();
const TEXT = CHAIN.map((line) => line + "\n").join("");

/** As the lines of a file; the empty one behind the last newline is none. */
function check(text: string): ReturnType<typeof checkChain> {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return checkChain(lines, START);
}

function brokenAt(text: string): number | null {
  const result = check(text);
  return result.ok ? null : result.line;
}

Deno.test("audit chain: a chain is good, and says where it ends", () => {
  const result = check(TEXT);
  assertEquals(result, { ok: true, end: endOfLine(CHAIN.at(-1) ?? "") ?? START, records: 9 });
  assertEquals(checkChain([], null), { ok: true, end: START, records: 0 });
});

Deno.test("audit chain: a chain in two files is followed from one to the other", () => {
  const first = checkChain(CHAIN.slice(0, 4), START);
  assert(first.ok);
  assertEquals(checkChain(CHAIN.slice(4), first.end).ok, true);
  assertEquals(checkChain(CHAIN.slice(5), first.end).ok, false);
});

Deno.test("audit chain: a record is one line of printable ASCII, and gives the text back", () => {
  for (const [index, line] of CHAIN.entries()) {
    assert(/^[\x20-\x7e]+$/.test(line), line);
    const { seq, text, prev, hash } = JSON.parse(line);
    assertEquals([seq, text, prev.length, hash.length], [index + 1, HOSTILE[index], 64, 64]);
  }
});

Deno.test("audit chain: the hash is sha256 of the line up to the hash", async () => {
  for (const line of CHAIN) {
    const covered = line.slice(0, line.lastIndexOf(',"hash":'));
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(covered));
    const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"));
    assertEquals(JSON.parse(line).hash, hex.join(""));
  }
});

const lineOf = (at: number): number => TEXT.slice(0, at).split("\n").length;

Deno.test("audit chain: any byte changed is found in its line", () => {
  for (let at = 0; at < TEXT.length; at++) {
    const was = TEXT.charAt(at);
    for (const now of ["0", "a", '"', "}", " ", "\r", "\n", was.toUpperCase(), "\xe4"]) {
      if (now === was) continue;
      assertEquals(
        brokenAt(TEXT.slice(0, at) + now + TEXT.slice(at + 1)),
        lineOf(at),
        `${at}: ${now}`,
      );
    }
  }
});

Deno.test("audit chain: any byte taken out or put in is found in its line", () => {
  for (let at = 0; at < TEXT.length - 1; at++) {
    assertEquals(brokenAt(TEXT.slice(0, at) + TEXT.slice(at + 1)), lineOf(at), `out ${at}`);
    for (const put of ["0", " ", "\n", "}"]) {
      // Two newlines are an empty line, and that is the one that is wrong.
      const line = lineOf(at) + (put === "\n" && TEXT.charAt(at) === "\n" ? 1 : 0);
      assertEquals(brokenAt(TEXT.slice(0, at) + put + TEXT.slice(at)), line, `${put} at ${at}`);
    }
  }
});

Deno.test("audit chain: any record taken out, doubled, swapped or from another chain is found", () => {
  for (let i = 0; i < CHAIN.length; i++) {
    const without = CHAIN.toSpliced(i, 1).join("\n");
    // The end may be cut off: that is what the log for people is compared for.
    assertEquals(brokenAt(without), i === CHAIN.length - 1 ? null : i + 1, `without ${i}`);
    const doubled = CHAIN.toSpliced(i, 0, CHAIN[i] ?? "").join("\n");
    assertEquals(brokenAt(doubled), i + 2, `${i} twice`);
    for (let j = i + 1; j < CHAIN.length; j++) {
      const swapped = CHAIN.with(i, CHAIN[j] ?? "").with(j, CHAIN[i] ?? "").join("\n");
      assertEquals(brokenAt(swapped), i + 1, `${i} and ${j} swapped`);
    }
    const foreign = chainRecord({ seq: i, hash: "a".repeat(64) }, "", "test", {}).line.slice(0, -1);
    assertEquals(brokenAt(CHAIN.with(i, foreign).join("\n")), i + 1, `${i} replaced`);
  }
});

Deno.test("audit chain: a record forged with a fitting hash is given away by the one after it", () => {
  for (let i = 0; i < CHAIN.length - 1; i++) {
    const before = i === 0 ? START : endOfLine(CHAIN[i - 1] ?? "") ?? START;
    const forged = chainRecord(before, "2026-11-22T09:15:00.000Z", "test", { vm: "lab" });
    assertEquals(brokenAt(CHAIN.with(i, forged.line.slice(0, -1)).join("\n")), i + 2);
    assertEquals(brokenAt(CHAIN.toSpliced(i, 0, forged.line.slice(0, -1)).join("\n")), i + 2);
  }
});

Deno.test("audit chain: numbers that leave one out, or come again, are found", () => {
  const one = chainRecord(START, "", "test", {});
  for (const seq of [0, 1, 3, 1e15]) {
    const next = chainRecord({ seq: seq - 1, hash: one.hash }, "", "test", {});
    const result = checkChain([one.line.slice(0, -1), next.line.slice(0, -1)], START);
    assertEquals(result.ok, false, `${seq} after 1`);
  }
});

Deno.test("a record says nothing under a name of its own: it would be hidden", () => {
  for (const name of ["seq", "time", "event", "prev", "hash"]) {
    assertThrows(() => chainRecord({ seq: 0, hash: CHAIN_START }, "t", "done", { [name]: "x" }));
  }
});
