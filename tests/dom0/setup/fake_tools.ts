// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools that answer exactly what they are told to, and fail on any other question. @module */

import type { Command } from "../../../dom0/setup/fact.ts";
import type { Tools } from "../../../dom0/setup/tools.ts";
import type { ToolEnd as Answer } from "../../../shared/io/run_tool.ts";

export interface FakeTools extends Tools {
  /** Every command line, in the order asked. */
  readonly asked: readonly string[];
}

/** @param answers by command line: an exit code, what is printed, or both */
export function fakeTools(answers: Readonly<Record<string, number | string | Answer>>): FakeTools {
  const known = new Map(Object.entries(answers));
  const asked: string[] = [];
  return {
    asked,
    run({ argv }: Command) {
      const line = argv.join(" ");
      asked.push(line);
      const answer = known.get(line);
      if (answer === undefined) throw new Error(`unexpected question: ${line}`);
      if (typeof answer === "object") return Promise.resolve(answer);
      const code = typeof answer === "number" ? answer : 0;
      const stdout = typeof answer === "string" ? answer : "";
      return Promise.resolve({ code, stdout, stderr: "" });
    },
  };
}
