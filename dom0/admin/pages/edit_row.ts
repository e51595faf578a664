// SPDX-License-Identifier: GPL-2.0-or-later
/** Settings of a qube or of the system as rows of a table, each edited in its place and then staged. @module */

import type { View } from "../admin_context.ts";
import { type Content, type Html, markup } from "../markup/markup.ts";
import { type Answer, type AskedBySession, seeOther } from "../server/http_message.ts";
import { stage } from "../staged/stage.ts";
import { token } from "./parts.ts";

/** null: the system's own settings. */
export type EditedQube = string | null;

export interface EditedSetting {
  readonly name: string;
  /** As the list of staged changes names it. */
  readonly setting: string;
  /** "": it has no value. */
  readonly now: string;
  readonly note: string;
  readonly set: string;
  readonly reset: string;
  readonly resetWord: string;
}

function pathOf(qube: EditedQube): string {
  return qube === null ? "/global" : `/qubes/${encodeURIComponent(qube)}`;
}

export function editRow(view: View, qube: EditedQube, edited: EditedSetting) {
  const { name, setting, now, note } = edited;
  const staged = view.session.staged.find((one) => one.qube === qube && one.setting === setting);
  if (staged !== undefined) {
    return {
      look: markup` class="on"`,
      cells: [
        markup`<code>${name}</code>`,
        markup`<del class="was">${staged.before || "empty"}</del> <ins class="now">${
          staged.after || "empty"
        }</ins>`,
        "Staged",
        markup`<a class="btn lean" href="/staged">Review<span class="vh"> the change of ${name}</span></a>`,
      ],
    };
  }
  const nothing = qube === null ? "none" : "empty";
  if (view.query.get("edit") === name) return editing(view, qube, edited, nothing);
  return {
    cells: [
      markup`<code>${name}</code>`,
      now === ""
        ? markup`<span class="soft">${nothing}</span>`
        : markup`<span class="value">${now}</span>`,
      note !== "" && markup`<span class="soft">${note}</span>`,
      markup`<a class="btn lean" href="?edit=${
        encodeURIComponent(name)
      }#e-${name}">Edit<span class="vh"> ${name}</span></a>`,
    ],
  };
}

function editing(
  view: View,
  qube: EditedQube,
  { name, now, set, reset, resetWord }: EditedSetting,
  nothing: string,
) {
  const path = pathOf(qube);
  const words = markup`${resetWord}<span class="vh"> for ${name}</span>`;
  return {
    look: markup` class="on" id="e-${name}"`,
    cells: [
      markup`<label for="value"><code>${name}</code></label>`,
      markup`<form method="post" action="${path}/stage" id="edit">${
        token(view.session)
      }<input type="hidden" name="operation" value="${set}"><input type="hidden" name="name" value="${name}"><input type="hidden" name="before" value="${now}"><input id="value" name="after" value="${now}" autofocus autocomplete="off" spellcheck="false" maxlength="1024"></form>`,
      markup`<span class="soft">Now ${now || nothing}</span>`,
      markup`<button class="lean main" form="edit">Stage</button> <a class="btn lean" href="${path}#prefs">Cancel</a> ${
        stageButton(view, qube, { operation: reset, name, before: now, words })
      }`,
    ],
  };
}

export interface StageButton {
  readonly operation: string;
  readonly name: string;
  readonly words: Content;
  /** The value that goes, where the operation does not say it. */
  readonly before?: string;
}

export function stageButton(
  view: View,
  qube: EditedQube,
  { operation, name, words, before }: StageButton,
): Html {
  return markup`<form method="post" action="${pathOf(qube)}/stage">${
    token(view.session)
  }<input type="hidden" name="operation" value="${operation}"><input type="hidden" name="name" value="${name}">${
    before !== undefined && markup`<input type="hidden" name="before" value="${before}">`
  }<button class="lean">${words}</button></form>`;
}

/** Puts the edit on the list; nothing is asked of dom0 yet. */
export function stageEdit(qube: EditedQube, { form, session }: AskedBySession): Answer {
  const text = (name: string): string => form.get(name) ?? "";
  const problem = stage(session, {
    vm: qube,
    operation: text("operation"),
    name: text("name"),
    before: text("before"),
    after: text("after"),
  });
  if (problem !== null) session.notices.push({ kind: "bad", text: problem });
  return seeOther(pathOf(qube));
}
