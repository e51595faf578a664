// SPDX-License-Identifier: GPL-2.0-or-later
/** The form of an operation, made from its parameters' schemas; and the one of a script. @module */

import { isElevated, type View } from "../../admin_context.ts";
import { type Content, type Html, markup, NOTHING, textarea, when } from "../../markup/markup.ts";
import type { Operation } from "../../../operations/operation.ts";
import { KINDS, type Parameter } from "../../../operations/parameter.ts";
import { describeOperation, SHELL } from "../../../operations/table.ts";
import { level, many, token } from "../parts.ts";

/** What was sent. */
export interface Sent {
  readonly values: ReadonlyMap<string, string>;
  /** By parameter; "" is about the whole. */
  readonly problems: ReadonlyMap<string, string>;
}

export function labelOf(key: string): string {
  const words = key.replaceAll("_", " ");
  return words === "vm" ? "Qube" : words.charAt(0).toUpperCase() + words.slice(1);
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

export function operationForm(view: View, operation: Operation, { values, problems }: Sent): Html {
  const { name, summary, destructive, parameters, steps, timeoutSeconds } = operation;
  return markup`<section class="panel"><header><h2><code>${name}</code></h2><span>${
    level(operation.level)
  }</span></header><form class="body stack" method="post" action="/execute" data-run-form>${
    token(view.session)
  }<input type="hidden" name="operation" value="${name}">
${problemList(problems)}<p>${summary}.</p>
${
    [...parameters].map(([key, parameter]) =>
      field(key, parameter, values.get(key) ?? "", problems.get(key))
    )
  }${nameLists(view, parameters)}
${
    destructive &&
    markup`<div class="field${
      problems.has("sure") && " wrong"
    }"><label class="check"><input type="checkbox" id="v-sure" name="sure" value="yes"> Run it although something may be lost</label></div>`
  }
<p class="small soft">Runs <code>${steps.map(({ usage }) => usage).join("; ")}</code>, at most ${
    many(timeoutSeconds, "second")
  }. ${undoWords(operation)}</p>
<div class="row"><button class="${
    destructive ? "danger" : "main"
  }">Run <kbd>Ctrl ↵</kbd></button><button name="what" value="preview">Preview</button></div></form></section>`;
}

function undoWords(operation: Operation): string {
  if (operation.level === "monitor") return "It only reads.";
  return describeOperation(operation).canBeUndone ? "It can be undone." : "It cannot be undone.";
}

function field(
  key: string,
  parameter: Parameter,
  value: string,
  problem: string | undefined,
): Html {
  const { schema, summary, optional } = parameter;
  const id = `v-${key}`;
  if (schema.type === "boolean") {
    return markup`<div class="field"><label class="check"><input type="checkbox" id="${id}" name="${id}" value="true"${
      when(value === "true", markup` checked`)
    }> ${labelOf(key)}: ${summary}</label></div>`;
  }
  const label = markup`${labelOf(key)}${optional && markup` <span class="soft">(optional)</span>`}`;
  return markup`<div class="field${
    problem !== undefined && " wrong"
  }"><label for="${id}">${label}</label>${
    problem !== undefined && markup`<span class="why" id="${id}-why">${problem}</span>`
  }${control({ id, parameter, value, problem })}<small id="${id}-about">${summary}${
    rangeOf(parameter)
  }</small></div>`;
}

/** "2 to 30", of a number. */
function rangeOf({ schema: { minimum, maximum } }: Parameter): string {
  return minimum === undefined || maximum === undefined
    ? ""
    : `, ${minimum} to ${maximum.toLocaleString("en-GB")}`;
}

interface Control {
  readonly id: string;
  readonly parameter: Parameter;
  readonly value: string;
  readonly problem: string | undefined;
}

function control({ id, parameter, value, problem }: Control): Content {
  const { schema, optional } = parameter;
  const about = problem === undefined ? `${id}-about` : `${id}-why ${id}-about`;
  const marks = markup` aria-describedby="${about}"${
    when(problem !== undefined, markup` aria-invalid="true"`)
  }${when(!optional && schema.type === "integer", markup` required`)}`;
  if (schema.enum !== undefined) {
    return markup`<select id="${id}" name="${id}"${marks}><option value="">${
      optional ? "as usual" : "choose"
    }</option>${
      schema.enum.map((one) =>
        markup`<option${when(one === value, markup` selected`)}>${one}</option>`
      )
    }</select>`;
  }
  if (schema.type === "integer") {
    return markup`<input id="${id}" name="${id}" value="${value}" size="12" inputmode="numeric" autocomplete="off"${marks}>`;
  }
  const list = listOf(parameter);
  const size = (schema.maxLength ?? 32) > 256 ? 44 : 32;
  return markup`<input id="${id}" name="${id}" value="${value}" size="${size}" maxlength="${
    schema.maxLength ?? 1024
  }" autocomplete="off" spellcheck="false"${
    list === null ? NOTHING : list === "qubes" ? QUBE_LIST : LABEL_LIST
  }${marks}>`;
}

const QUBE_LIST = markup` list="qube-names"`;
const LABEL_LIST = markup` list="label-names"`;
const LABELS = ["red", "orange", "yellow", "green", "gray", "blue", "purple", "black"];

/** What may be chosen from what there is. */
function listOf({ schema }: Parameter): "qubes" | "labels" | null {
  if (schema === KINDS.qube.schema) return "qubes";
  return schema === KINDS.label.schema ? "labels" : null;
}

function nameLists({ qubes }: View, parameters: ReadonlyMap<string, Parameter>): Html {
  const lists = new Set([...parameters.values()].map(listOf));
  const options = (names: readonly string[]): Content =>
    names.map((name) => markup`<option value="${name}"></option>`);
  return markup`${
    lists.has("qubes") &&
    markup`<datalist id="qube-names">${options(qubes.qubes.map(({ name }) => name))}</datalist>`
  }${lists.has("labels") && markup`<datalist id="label-names">${options(LABELS)}</datalist>`}`;
}

export function scriptForm(view: View, { values, problems }: Sent): Html {
  const isAllowed = isElevated(view.session, view.nowMs);
  return markup`<section class="panel"><header><h2><code>shell</code> in dom0</h2><span>${
    level("full")
  }</span></header>${
    isAllowed
      ? markup`<form class="body stack" method="post" action="/execute" data-run-form>${
        token(view.session)
      }<input type="hidden" name="operation" value="${SHELL}">${problemList(problems)}
<div class="field"><label for="v-script">Script for bash, as root</label>${
        textarea(
          markup`id="v-script" name="v-script" rows="10" spellcheck="false"`,
          values.get("script") ?? "",
        )
      }<small>It is on record, whole by its SHA-256. It cannot be undone.</small></div>
<div class="row"><button class="danger">Run <kbd>Ctrl ↵</kbd></button></div></form>`
      : markup`<div class="body stack">${
        problemList(problems)
      }<p>This session may not run shell commands. Elevated mode lets it, for a while.</p><p><a class="btn" href="/sessions">Sessions and elevated mode</a></p></div>`
  }</section>`;
}
