// SPDX-License-Identifier: GPL-2.0-or-later
/** The changes that were made to files here, each with the way back. @module */

import { type Admin, askerOf, isElevated, type View } from "../admin_context.ts";
import { whatHappened } from "../../operator/file_changes.ts";
import { textDiff } from "../../operator/text_diff.ts";
import { Dom0Error } from "../channel/dom0_channel.ts";
import type { PolicyChangeNow } from "../channel/policy_channel.ts";
import { type Html, markup } from "../markup/markup.ts";
import { type Answer, type AskedBySession, seeOther } from "../server/http_message.ts";
import { diff, empty, panel, postButton, time, unreadable } from "./parts.ts";

const SHOWN = 10;

export function changesPanel(
  view: View,
  changes: readonly PolicyChangeNow[] | Dom0Error,
  undoPath: string,
): Html {
  const parts = { title: "Changes of files", id: "changes", isLive: true };
  if (changes instanceof Dom0Error) return panel(parts, unreadable(changes.message));
  if (changes.length === 0) {
    return panel(
      parts,
      empty(
        "Nothing was changed here.",
        markup`<span class="soft">A file that is saved or removed here stands here, with the way back.</span>`,
      ),
    );
  }
  return panel(
    parts,
    markup`<ul class="body stack">${
      changes.slice(0, SHOWN).map((one) => change(view, one, undoPath))
    }</ul>`,
  );
}

function change(
  { session, nowMs }: View,
  { id, timeMs, by, file, before, after, isUndone, now }: PolicyChangeNow,
  undoPath: string,
): Html {
  const what = whatHappened({ before, after });
  return markup`<li data-key="${id}" class="stack"><div class="row"><span><code>${file}</code> ${what} <span class="small soft">${
    time(timeMs, nowMs)
  } by <bdi>${by}</bdi></span></span><span class="push">${
    isUndone
      ? markup`<span class="small soft">undone</span>`
      : now !== after
      ? markup`<span class="small soft">changed since</span>`
      : postButton(
        session,
        undoPath,
        { id },
        markup`Undo<span class="vh"> the change of ${file}</span>`,
      )
  }</span></div><details id="change-${id}"><summary class="small">What changed</summary>${
    diff(textDiff(before ?? "", after ?? ""), `Change of ${file}`)
  }</details></li>`;
}

interface Undoing {
  /** @throws {Dom0Error} it is not undone */
  undo(id: string, by: string): Promise<unknown>;
  /** Why it takes elevated mode. */
  readonly notElevated: string;
  /** Where the changes are shown. */
  readonly back: string;
}

/** The change that a button of changesPanel() names. */
export async function undoChange(
  { dateMs }: Pick<Admin, "dateMs">,
  { form, session }: AskedBySession,
  { undo, notElevated, back }: Undoing,
): Promise<Answer> {
  try {
    if (!isElevated(session, dateMs())) throw new Dom0Error(notElevated);
    await undo(form.get("id") ?? "", askerOf(session));
    session.notices.push({ kind: "ok", text: "Undone, and on record." });
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `Not undone: ${error.message}.` });
  }
  return seeOther(back);
}
