// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The answer to a plan: JSON lines, one for each step as it ends and one for the whole, so that
 * what was done is known wherever the plan was cut off. --json passes them on as they come.
 *
 * @module
 */

import { writeAll } from "../../../shared/cli/program.ts";
import { concat } from "../../../shared/protocol/bytes.ts";
import { createCapture } from "../client/run_json.ts";
import { visibleJson, visibleLine } from "../client/visible_text.ts";
import { type AnswerView, outputPorts, type ViewOptions } from "./answer_view.ts";
import { parseJson } from "./parse_json.ts";
import { planLine } from "./value_lines.ts";

export function planView(options: ViewOptions): AnswerView {
  const [_stdout, stderr] = outputPorts(options);
  const capture = createCapture();
  const wantsJson = options.has("json");
  const lines = createLines((line) => writeAll(Deno.stdout, shown(line, wantsJson) + "\n"));
  return {
    stdout: lines.push,
    stderr: wantsJson ? capture.stderr : stderr.sink,
    async finish({ id, end, exitCode, messages }) {
      lines.end();
      const isDone = end.kind === "answered" && end.outcome.kind === "done";
      if (wantsJson && !isDone) {
        writeAll(Deno.stdout, capture.json(id, end, exitCode, messages));
      } else if (wantsJson) await stderr.sink(capture.bytes("stderr"));
      await stderr.finish();
    },
  };
}

function shown(line: Uint8Array, wantsJson: boolean): string {
  const text = new TextDecoder().decode(line);
  const value = parseJson(line);
  if (value === undefined) return visibleLine(text);
  return (wantsJson ? null : planLine(value)) ?? visibleJson(value);
}

const NEWLINE = 10;

/** Lines as they become whole; a rest without an end is one too. */
function createLines(take: (line: Uint8Array) => void) {
  let rest: Uint8Array = new Uint8Array(0);
  return {
    push(bytes: Uint8Array): Promise<void> {
      rest = concat([rest, bytes]);
      for (let at; (at = rest.indexOf(NEWLINE)) >= 0;) {
        take(rest.subarray(0, at));
        rest = rest.subarray(at + 1);
      }
      return Promise.resolve();
    },
    end(): void {
      if (rest.length > 0) take(rest);
      rest = new Uint8Array(0);
    },
  };
}
