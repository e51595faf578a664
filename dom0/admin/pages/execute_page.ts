// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Execute: a form for each operation, made from its parameters, and what came of it. @module */

import { isElevated, type View } from "../admin_context.ts";
import type { RunResult } from "../channel/dom0_channel.ts";
import {
  type Content,
  type Html,
  lines,
  markup,
  NOTHING,
  textarea,
  when,
} from "../markup/markup.ts";
import type { Operation } from "../../operations/operation.ts";
import type { Parameter } from "../../operations/parameter.ts";
import { describeOperation, OPERATIONS, SHELL } from "../../operations/table.ts";
import type { Answer } from "../server/http_message.ts";
import { page } from "./layout.ts";
import { empty, level, many, state, token } from "./parts.ts";

/** What was sent, and what came of it. */
export interface Sent {
  readonly values: ReadonlyMap<string, string>;
  /** By parameter; "" is about the whole. */
  readonly problems: ReadonlyMap<string, string>;
  readonly result: RunResult | null;
}

export function labelOf(key: string): string {
  const words = key.replaceAll("_", " ");
  return words === "vm" ? "Qube" : words.charAt(0).toUpperCase() + words.slice(1);
}

export function executePage(view: View, name: string, sent: Sent): Answer {
  const operation = OPERATIONS.get(name);
  return page(view, {
    title: "Execute",
    facts: "As you, on record as this session",
    main: markup`${chooser(name)}<div class="cols"><div class="c5">${
      name === SHELL
        ? scriptForm(view, sent)
        : operation === undefined
        ? noneChosen()
        : operationForm(view, operation, sent)
    }</div><div class="c7">${output(sent)}</div></div>`,
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

function problemList(problems: ReadonlyMap<string, string>): Html {
  if (problems.size === 0) return NOTHING;
  return markup`<div class="notice bad" role="alert"><div><strong>${
    problems.size === 1 ? "There is a problem" : `There are ${problems.size} problems`
  }</strong><ul>${
    [...problems].map(([key, text]) =>
      markup`<li>${key === "" ? text : markup`<a href="#v-${key}">${text}</a>`}</li>`
    )
  }</ul></div></div>`;
}

function operationForm(view: View, operation: Operation, { values, problems }: Sent): Html {
  const { name, summary, destructive, parameters, steps } = operation;
  const { canBeUndone, timeoutSeconds } = describeOperation(operation);
  return markup`<section class="panel"><header><h2><code>${name}</code></h2><span>${
    level(operation.level)
  }</span></header><form class="body stack" method="post" action="/execute">${
    token(view.session)
  }<input type="hidden" name="operation" value="${name}">
${problemList(problems)}<p>${summary}.</p>
${
    [...parameters].map(([key, parameter]) =>
      field(view, key, parameter, values.get(key) ?? "", problems.get(key))
    )
  }
${
    destructive &&
    markup`<div class="field${
      problems.has("sure") && " wrong"
    }"><label class="check"><input type="checkbox" id="v-sure" name="sure" value="yes"> Run it although something may be lost</label></div>`
  }
<p class="small soft">Runs <code>${steps.map(({ usage }) => usage).join("; ")}</code>, at most ${
    many(timeoutSeconds, "second")
  }. ${
    operation.level === "monitor"
      ? "It only reads."
      : canBeUndone
      ? "It can be undone."
      : "It cannot be undone."
  }</p>
<div class="row"><button class="${
    destructive ? "danger" : "main"
  }">Run</button></div></form></section>`;
}

function field(
  view: View,
  key: string,
  parameter: Parameter,
  value: string,
  problem: string | undefined,
): Html {
  const { schema, summary, optional } = parameter;
  const id = `v-${key}`;
  const label = markup`${labelOf(key)}${optional && markup` <span class="soft">(optional)</span>`}`;
  if (schema["type"] === "boolean") {
    return markup`<div class="field"><label class="check"><input type="checkbox" id="${id}" name="${id}" value="true"${
      when(value === "true", markup` checked`)
    }> ${labelOf(key)}: ${summary}</label></div>`;
  }
  return markup`<div class="field${
    problem !== undefined && " wrong"
  }"><label for="${id}">${label}</label>${
    problem !== undefined && markup`<span class="why" id="${id}-why">${problem}</span>`
  }${
    control(view, { id, key, parameter, value, isWrong: problem !== undefined })
  }<small>${summary}</small></div>`;
}

interface Control {
  readonly id: string;
  readonly key: string;
  readonly parameter: Parameter;
  readonly value: string;
  readonly isWrong: boolean;
}

function control(view: View, { id, key, parameter, value, isWrong }: Control): Content {
  const marks = when(isWrong, markup` aria-invalid="true"`);
  const options = parameter.schema.enum?.map(String) ?? null;
  if (options !== null) {
    return markup`<select id="${id}" name="${id}"${marks}><option value="">${
      parameter.optional ? "as usual" : "choose"
    }</option>${
      options.map((one) => markup`<option${when(one === value, markup` selected`)}>${one}</option>`)
    }</select>`;
  }
  const list = key === "vm" || key === "template" ? markup` list="qube-names"` : NOTHING;
  return markup`<input id="${id}" name="${id}" value="${value}" size="32" autocomplete="off" spellcheck="false"${list}${marks}>${
    key === "vm" && markup`<datalist id="qube-names">${
      view.qubes.qubes.map(({ name }) => markup`<option value="${name}"></option>`)
    }</datalist>`
  }`;
}

function scriptForm(view: View, { values, problems }: Sent): Html {
  const isAllowed = isElevated(view.session, view.nowMs);
  return markup`<section class="panel"><header><h2><code>shell</code> in dom0</h2><span>${
    level("full")
  }</span></header>${
    isAllowed
      ? markup`<form class="body stack" method="post" action="/execute">${
        token(view.session)
      }<input type="hidden" name="operation" value="${SHELL}">${problemList(problems)}
<div class="field"><label for="v-script">Script for bash, as root</label>${
        textarea(
          markup`id="v-script" name="v-script" rows="10" spellcheck="false"`,
          values.get("script") ?? "",
        )
      }<small>It is on record, whole by its SHA-256. It cannot be undone.</small></div>
<div class="row"><button class="danger">Run</button></div></form>`
      : markup`<div class="body stack">${
        problemList(problems)
      }<p>This session may not run shell commands. Elevated mode lets it, for a while.</p><p><a class="btn" href="/sessions">Sessions and elevated mode</a></p></div>`
  }</section>`;
}

function output({ result }: Sent): Html {
  if (result === null) {
    return markup`<section class="panel" aria-label="Result"><header><h2>Result</h2></header>${
      empty(markup`<span class="soft">What it prints, and how it ends, stands here.</span>`)
    }</section>`;
  }
  const { exitCode, stdout, stderr, value } = result;
  return markup`<section class="panel" aria-label="Result"><header><h2>Result</h2><span>${
    exitCode === 0 ? state("ok", "Done") : state("bad", `Failed, exit ${exitCode}`)
  }</span></header><div class="body stack">${
    stderr !== "" &&
    markup`<pre tabindex="0" aria-label="Error output"><span class="err">${
      lines(stderr)
    }</span></pre>`
  }${
    stdout !== ""
      ? markup`<pre class="tall" tabindex="0" aria-label="Output">${lines(stdout)}</pre>`
      : stderr === "" && markup`<p class="soft">It printed nothing.</p>`
  }${
    value !== null && stdout !== "" &&
    markup`<details id="value"><summary>As a value</summary><pre class="tall" tabindex="0">${
      lines(JSON.stringify(value, null, 2))
    }</pre></details>`
  }</div></section>`;
}
