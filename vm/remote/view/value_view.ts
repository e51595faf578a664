// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * For answers whose stdout is one JSON text: programs get it as it is, people as lines. If there is
 * none, --json gives the same object as for any command.
 *
 * @module
 */

import { writeAll } from "../../../shared/cli/program.ts";
import { createCapture } from "../client/run_json.ts";
import { visibleJson } from "../client/visible_text.ts";
import type { AnswerForm } from "../files/answer_form.ts";
import { attemptAsync } from "../files/local_failure.ts";
import { type AnswerView, outputPorts, type ViewOptions } from "./answer_view.ts";
import { parseJson } from "./parse_json.ts";
import { explainedLines, operationLines } from "./value_lines.ts";

export type ValueForm = Exclude<AnswerForm, "output" | "plan">;

export function valueView(form: ValueForm, options: ViewOptions): AnswerView {
  const [stdout, stderr] = outputPorts(options);
  const capture = createCapture();
  const wantsJson = options.has("json") || form === "value";
  return {
    stdout: capture.stdout,
    stderr: wantsJson ? capture.stderr : stderr.sink,
    async finish({ id, end, exitCode, messages }) {
      const isDone = end.kind === "answered" && end.outcome.kind === "done" && end.cause === null;
      const value = isDone ? parseJson(capture.bytes("stdout")) : undefined;
      if (wantsJson && (value === undefined || exitCode !== 0)) {
        return writeAll(Deno.stdout, capture.json(id, end, exitCode, messages));
      }
      // What is in these is made safe for any terminal there.
      const lines = wantsJson ? visibleJson(value) + "\n" : linesOf(form, value);
      await attemptAsync(async () => {
        if (lines === null) await stdout.sink(capture.bytes("stdout"));
        else writeAll(Deno.stdout, lines);
        if (wantsJson) await stderr.sink(capture.bytes("stderr"));
        await Promise.all([stdout.finish(), stderr.finish()]);
      });
    },
  };
}

/** null: it does not have the form that can be shown as lines. */
function linesOf(form: ValueForm, value: unknown): string | null {
  const isColoured = Deno.stdout.isTerminal() && (Deno.env.get("NO_COLOR") ?? "") === "";
  if (form === "operations") return operationLines(value, isColoured);
  return form === "explained" ? explainedLines(value) : null;
}
