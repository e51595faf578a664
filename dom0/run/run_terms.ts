// SPDX-License-Identifier: GPL-2.0-or-later
/** The terms on which a request runs: what the rule says besides "allow". @module */

import { runTool } from "../../shared/io/run_tool.ts";
import type { RequestFlag } from "../../shared/protocol/flags.ts";
import { createFilteredOutput, type FilteredOutput } from "../operations/filtered_output.ts";
import type { Judgement } from "../policy/judge.ts";

export interface RunTerms {
  /** Caps below what the configuration allows; Infinity: none. */
  readonly maxTimeoutMs: number;
  readonly maxMemoryBytes: number;
  /** Holds the output back until its end: for a VM that may not see every qube, or wants JSON. */
  readonly output: FilteredOutput | null;
  /**
   * What dom0 does itself after it has succeeded.
   * @returns what went wrong, for the VM; null: nothing
   */
  readonly afterwards: () => Promise<string | null>;
}

/** For requests without such terms. */
export const NO_TERMS: RunTerms = {
  maxTimeoutMs: Infinity,
  maxMemoryBytes: Infinity,
  output: null,
  afterwards: () => Promise.resolve(null),
};

export function termsOf(
  { recognised, view, decision }: Judgement,
  flags: ReadonlySet<RequestFlag>,
): RunTerms {
  const { timeoutSeconds = Infinity, memoryBytes = Infinity, createTag } = decision.options;
  const created = recognised === null ? undefined : CREATES.get(recognised.operation.name);
  const qube = created === undefined ? undefined : recognised?.values.get(created);
  return {
    maxTimeoutMs: timeoutSeconds * 1000,
    maxMemoryBytes: memoryBytes,
    output: recognised === null || (view === null && !flags.has("json"))
      ? null
      : createFilteredOutput(
        recognised.operation.result,
        view,
        flags.has("json") ? "json" : "text",
      ),
    afterwards: createTag === undefined || qube === undefined
      ? NO_TERMS.afterwards
      : () => addTag(String(qube), createTag),
  };
}

/** The operations that create a qube, and the parameter that names it. */
const CREATES: ReadonlyMap<string, string> = new Map([["vm.create", "vm"], ["vm.clone", "new_vm"]]);
const TAG_TIMEOUT_MS = 20_000;

/** The rule says "create=": the new qube belongs to what its VM may touch. */
async function addTag(qube: string, tag: string): Promise<string | null> {
  try {
    const { code } = await runTool(["qvm-tags", qube, "add", tag], {
      limitMs: TAG_TIMEOUT_MS,
      isHeard: false,
    });
    return code === 0 ? null : `${qube} was made, but could not be given the tag ${tag}`;
  } catch {
    return `${qube} was made, but qvm-tags cannot be run: it does not have the tag ${tag}`;
  }
}
