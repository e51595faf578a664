// SPDX-License-Identifier: GPL-2.0-or-later
/** Lines of a text that comes in pieces, with a cap on their length. @module */

export interface LineCutter {
  /** The lines that this piece completes, without their newlines. */
  push(part: string): readonly string[];
  /** What came after the last newline. */
  rest(): string;
}

/** @param maxChars longer lines are cut */
export function createLineCutter(maxChars: number): LineCutter {
  let rest = "";
  return {
    push(part) {
      const lines = (rest + part).split("\n").map((line) => line.slice(0, maxChars));
      rest = lines.pop() ?? "";
      return lines;
    },
    rest: () => rest,
  };
}

/** More than any line that a program of ours prints for another. */
const MAX_LINE_CHARS = 1024 * 1024;

/** Pieces of text in, whole lines out; half a line at the end is dropped. */
export function textLines(maxChars = MAX_LINE_CHARS): TransformStream<string, string> {
  const cutter = createLineCutter(maxChars);
  return new TransformStream({
    transform(part, controller) {
      for (const line of cutter.push(part)) controller.enqueue(line);
    },
  });
}
