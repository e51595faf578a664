// SPDX-License-Identifier: GPL-2.0-or-later
/** The output of a command as it comes, or one JSON object about it. @module */

import { writeAll } from "../../../shared/cli/program.ts";
import { createCapture } from "../client/run_json.ts";
import { attemptAsync } from "../files/local_failure.ts";
import { type AnswerView, outputPorts, type ViewOptions } from "./answer_view.ts";

export function outputView(options: ViewOptions): AnswerView {
  if (options.has("json")) return objectView();
  const [stdout, stderr] = outputPorts(options);
  return {
    stdout: stdout.sink,
    stderr: stderr.sink,
    async finish({ end }) {
      if (end.kind !== "answered" || end.cause !== null) return;
      await attemptAsync(() => Promise.all([stdout.finish(), stderr.finish()]));
    },
  };
}

function objectView(): AnswerView {
  const capture = createCapture();
  return {
    ...capture,
    finish({ id, end, exitCode, messages }) {
      writeAll(Deno.stdout, capture.json(id, end, exitCode, messages));
      return Promise.resolve();
    },
  };
}
