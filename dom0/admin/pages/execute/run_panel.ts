// SPDX-License-Identifier: GPL-2.0-or-later
/** What runs, or has run: its output as far as it has come, how it ended, and its value. @module */

import type { View } from "../../admin_context.ts";
import type { RunPart } from "../../../admin_orders/run_output.ts";
import type { ListedRun, RunChunk } from "../../channel/dom0_channel.ts";
import { type Content, type Html, lines, markup } from "../../markup/markup.ts";
import { OPERATIONS } from "../../../operations/table.ts";
import { many, postButton, qube, says, span, state, time } from "../parts.ts";
import { longText } from "../long_text.ts";
import { resultTable } from "./result_table.ts";
import { progressBar, splitProgress, tellsProgress } from "./run_progress.ts";
import { transferResult } from "./transfer_result.ts";

/** More is not put into a page at once; what runs on is added by its script. */
const MOST_CHARS = 4_000_000;
const LONG_CHARS = 20_000;

export function runPanel(view: View, run: RunChunk): Html {
  const { head, end, next } = run;
  if (head === null) throw new Error("bug: a run without its beginning");
  const { id, operation, values, begunMs } = head;
  const vm = values["vm"];
  const limit = OPERATIONS.get(operation)?.timeoutSeconds;
  const aside = end !== null
    ? markup`${time(end.endedMs, view.nowMs)}, after ${span(end.endedMs - begunMs)}`
    : markup`since ${time(begunMs, view.nowMs)}${
      limit !== undefined && `, at most ${span(limit * 1000)}`
    }`;
  const tells = tellsProgress(operation);
  const marks = end === null
    ? markup` data-run="${id}" data-next="${String(next)}"${tells && markup` data-tells="yes"`}`
    : null;
  const { parts, progress } = tells ? splitProgress(run.parts) : { ...run, progress: null };
  return markup`<section class="panel" id="run" aria-label="Result"${marks}><header><h2>${
    stateOfRun(end)
  } <code>${operation}</code>${
    vm !== undefined && markup` on ${qube(view, vm)}`
  }</h2><span class="small soft">${aside}</span></header><div class="body stack">${
    end === null && controls(view, run)
  }${end === null && tells && progressBar(progress)}${
    end !== null && end.value !== null &&
    (tells ? transferResult(view, end.value) : resultTable(end.value))
  }${output(view, { ...run, parts })}</div></section>`;
}

/** @param end null: it runs */
export function stateOfRun(end: ListedRun["end"]): Html {
  if (end === null) return state("busy", "Running");
  if (end.kind === undefined) return state("off", "Ended");
  if (end.kind !== "done") return state("bad", ENDS.get(end.kind) ?? end.kind);
  return end.exitCode === 0 ? state("ok", "Done") : state("bad", `Failed, exit ${end.exitCode}`);
}

const ENDS: ReadonlyMap<string, string> = new Map([
  ["cancelled", "Cancelled"],
  ["timeout", "Timed out"],
  ["locked-down", "Ended by the lockdown"],
  ["stopping", "The daemon stopped"],
  ["interrupted", "Interrupted"],
  ["output-limit", "Too much output"],
  ["process-limit", "Too many processes"],
  ["memory-limit", "Too much memory"],
]);

/** Outside of what is brought up to date: while it runs, its script adds to the output. */
function controls(view: View, { head }: RunChunk): Html {
  return markup`<div class="row small"><label class="check"><input type="checkbox" id="follow" checked> Follow the end</label><span class="push">${
    postButton(
      view.session,
      `/execute/${head?.id}/cancel`,
      {},
      markup`Cancel <kbd>Esc</kbd>`,
      "lean danger",
    )
  }</span></div><noscript><p class="small soft"><a href="/execute/${head?.id}">Reload</a> to see more of it.</p></noscript>`;
}

function output(view: View, { head, parts, end }: RunChunk): Content {
  if (end !== null && parts.length === 0) {
    return end.value === null && markup`<p class="soft">It printed nothing.</p>`;
  }
  const pre = outputText(parts, head?.operation ?? "");
  const vm = head?.values["vm"];
  const isQubes = vm !== undefined && /^vm\.(run|service)$/.test(head?.operation ?? "");
  const framed = isQubes ? says(view, vm, "what it printed, as it came", pre) : pre;
  // A table says the same; what stands in it is read more easily.
  return end !== null && end.value !== null && typeof end.value === "object"
    ? markup`<details id="as-text"><summary>As it was printed</summary>${framed}</details>`
    : framed;
}

function outputText(parts: readonly RunPart[], operation: string): Html {
  const { shown, left } = lastOf(parts);
  return markup`${
    left > 0 &&
    markup`<p class="small soft">${many(left, "character")} before this are not shown.</p>`
  }<pre class="tall" tabindex="0" role="log" id="output" aria-label="Output of ${operation}">${
    shown.map(({ stream, text }) =>
      stream === 2
        ? markup`<span class="err">${lines(text)}</span>`
        : isLong(text)
        ? longText(text)
        : lines(text)
    )
  }</pre>`;
}

/** Short text stays in one line with what comes after it. */
function isLong(text: string): boolean {
  return text.length > LONG_CHARS;
}

/** What one stream printed in one go is one piece, whatever parts it came in. */
function lastOf(parts: readonly RunPart[]): {
  readonly shown: readonly RunPart[];
  readonly left: number;
} {
  const all = parts.reduce((sum, { text }) => sum + text.length, 0);
  let left = Math.max(0, all - MOST_CHARS);
  const shown: RunPart[] = [];
  for (const { stream, text } of parts) {
    const own = text.slice(Math.min(left, text.length));
    left -= text.length - own.length;
    const last = shown.at(-1);
    if (own === "") continue;
    if (last?.stream === stream) shown[shown.length - 1] = { stream, text: last.text + own };
    else shown.push({ stream, text: own });
  }
  return { shown, left: Math.max(0, all - MOST_CHARS) };
}
