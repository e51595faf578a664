// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Execute: what to run, what it would do, what it prints while it runs, and what came of it. @module */

import type { View } from "../../admin_context.ts";
import type { ListedRun, PreviewOf, RunChunk } from "../../channel/dom0_channel.ts";
import { type Html, lines, markup, when } from "../../markup/markup.ts";
import { OPERATIONS, SHELL } from "../../../operations/table.ts";
import type { Answer } from "../../server/http_message.ts";
import { page } from "../layout.ts";
import { diff, empty, many } from "../parts.ts";
import { lastRuns } from "./last_runs.ts";
import { operationForm, scriptForm, type Sent } from "./operation_form.ts";
import { runPanel } from "./run_panel.ts";

export interface Shown extends Sent {
  readonly preview: PreviewOf | null;
}

export const NOTHING_SENT: Shown = { values: new Map(), problems: new Map(), preview: null };

/** @param run null: nothing runs, or has run, for this page */
export function executePage(
  view: View,
  name: string,
  sent: Sent & Partial<Shown>,
  run: RunChunk | null,
  runs: readonly ListedRun[],
): Answer {
  const operation = OPERATIONS.get(name);
  const form = name === SHELL
    ? scriptForm(view, sent)
    : operation === undefined
    ? noneChosen()
    : operationForm(view, operation, sent);
  return page(view, {
    title: "Execute",
    module: "execute",
    facts: "As you, on record as this session",
    main: markup`${
      chooser(name)
    }<div class="cols"><div class="c5 w4">${form}</div><div class="c7 w8 stack">${
      run !== null
        ? runPanel(view, run)
        : sent.preview === null || sent.preview === undefined
        ? noRun()
        : previewPanel(sent.preview)
    }${lastRuns(view, runs)}</div></div>`,
  });
}

function chooser(chosen: string): Html {
  const families = Map.groupBy(
    OPERATIONS.values(),
    ({ name }) => name.slice(0, name.lastIndexOf(".")),
  );
  return markup`<form class="filters" method="get" action="/execute"><div class="field"><label for="operation">Operation</label><select id="operation" name="operation">${
    [...families].map(([family, all]) =>
      markup`<optgroup label="${family}">${
        all.map(({ name }) =>
          markup`<option${when(name === chosen, markup` selected`)}>${name}</option>`
        )
      }</optgroup>`
    )
  }<optgroup label="anything"><option value="${SHELL}"${
    when(chosen === SHELL, markup` selected`)
  }>shell (a script, as root)</option></optgroup></select></div><button>Choose</button></form>`;
}

function noneChosen(): Html {
  return markup`<section class="panel">${
    empty(
      "Choose an operation.",
      markup`<span class="soft">${
        many(OPERATIONS.size, "operation")
      } of dom0’s table; each has a form of its own. <kbd>Ctrl K</kbd> finds one by name.</span>`,
    )
  }</section>`;
}

function noRun(): Html {
  return markup`<section class="panel" aria-label="Result"><header><h2>Result</h2></header>${
    empty(
      markup`<span class="soft">What it prints, while it runs, and how it ends stands here.</span>`,
    )
  }</section>`;
}

function previewPanel({ runs, lines: change, notes }: PreviewOf): Html {
  return markup`<section class="panel" aria-label="Preview"><header><h2>Preview</h2><span class="small soft">nothing ran</span></header><div class="body stack"><h3>What would change</h3>${
    change.length > 0 && diff(change, "Before and after")
  }${notes.map((note) => markup`<p class="small">${note}</p>`)}${
    change.length === 0 && notes.length === 0 &&
    markup`<p class="small">It changes nothing, or dom0 cannot tell what.</p>`
  }<h3>What would run</h3><pre>${lines(runs.join("\n"))}</pre></div></section>`;
}
