// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A large body without its pictures. Each picture or document stands in a body as one run of
 * base64, which nobody here reads: it would be in memory as bytes, as text, in the JSON, and in what
 * is written for the upstream. Instead a short mark stands for it in text and JSON, and the bytes of
 * the client take the place of the mark on the way out.
 *
 *     {"url":"data:image/png;base64,iVBORw0KGgo....................RU5ErkJggg=="}
 *     {"url":"data:image/png;base64,iVBORw0KGgo<mark>RU5ErkJggg=="}
 *
 * A mark is of base64's letters too, so that nothing has to be escaped wherever it is moved.
 *
 * @module
 */

import { concat } from "../../../shared/protocol/bytes.ts";
import type { Bytes } from "../bytes.ts";

/** No word is that long, and of small pictures there may be hundreds. */
export const MIN_RUN_BYTES = 32 * 1024;
/** What stays at both ends of a run, for whoever looks at how it begins. */
const KEPT_BYTES = 64;
/** A multiple of four, as is what it stands for: base64 is read in fours. */
export const MARK_CHARS = 32;
const INDEX_CHARS = 4;

export interface CutOut {
  readonly rest: Bytes;
  /** What was cut out, by its mark. */
  readonly runs: ReadonlyMap<string, Bytes>;
}

const IS_LETTER = new Uint8Array(256);
for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_") {
  IS_LETTER[letter.charCodeAt(0)] = 1;
}

/** @param secret MARK_CHARS - 4 letters or digits that no client can know: what it sends is no mark */
export function cutOut(bytes: Bytes, secret: string): CutOut {
  const runs = new Map<string, Bytes>();
  const pieces: Bytes[] = [];
  let done = 0;
  for (const { from, to } of longRuns(bytes)) {
    const mark = secret + String(runs.size).padStart(INDEX_CHARS, "0");
    const length = (to - from - 2 * KEPT_BYTES) & ~3;
    const start = from + KEPT_BYTES;
    runs.set(mark, bytes.subarray(start, start + length));
    pieces.push(bytes.subarray(done, start), new TextEncoder().encode(mark));
    done = start + length;
  }
  pieces.push(bytes.subarray(done));
  return { rest: runs.size === 0 ? bytes : concat(pieces), runs };
}

/** Each long run holds a multiple of half that length; only there it is looked for. */
function* longRuns(bytes: Bytes): Generator<{ readonly from: number; readonly to: number }> {
  const step = MIN_RUN_BYTES / 2;
  let end = 0;
  for (let probe = step; probe < bytes.length; probe += step) {
    if (probe < end) continue;
    let from = probe;
    let to = probe;
    while (from > end && IS_LETTER[bytes[from - 1] ?? 0] === 1) from--;
    while (to < bytes.length && IS_LETTER[bytes[to] ?? 0] === 1) to++;
    end = Math.max(end, to);
    if (to - from >= MIN_RUN_BYTES) yield { from, to };
  }
}

/** The length, in letters, of a text with each mark replaced by what it stands for. */
export function lengthWithRuns(text: string, cut: Pick<CutOut, "runs">, secret: string): number {
  let length = 0;
  for (const part of withRuns(text, cut, secret)) length += part.length;
  return length;
}

/** The text with each mark replaced by what it stands for, in pieces. */
export function* withRuns(
  text: string,
  { runs }: Pick<CutOut, "runs">,
  secret: string,
): Generator<string | Bytes> {
  let done = 0;
  for (let at; (at = text.indexOf(secret, done)) >= 0;) {
    const mark = text.slice(at, at + MARK_CHARS);
    const run = runs.get(mark);
    const end = run === undefined ? at + secret.length : at + MARK_CHARS;
    yield text.slice(done, run === undefined ? end : at);
    if (run !== undefined) yield run;
    done = end;
  }
  yield text.slice(done);
}
