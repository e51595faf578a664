// SPDX-License-Identifier: GPL-2.0-or-later
/** The way back of a change of one of dom0's own files. @module */

import { isElevated, type View } from "../../admin_context.ts";
import type { PolicyChangeNow } from "../../channel/policy_channel.ts";
import { whatHappened } from "../../../operator/file_changes.ts";
import { textDiff } from "../../../operator/text_diff.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { diff, notice, token } from "../parts.ts";

export interface FileChangeNow extends PolicyChangeNow {
  readonly kind: "policy" | "config";
  readonly isChangedSince: boolean;
}

/** Those that are not undone. */
export function ofFile(
  kind: FileChangeNow["kind"],
  changes: readonly PolicyChangeNow[],
): readonly FileChangeNow[] {
  return changes.filter(({ isUndone }) => !isUndone)
    .map((one) => ({ ...one, kind, isChangedSince: one.now !== one.after }));
}

export function whatOfFile(change: FileChangeNow): Html {
  return markup`<code>${change.file}</code> <span class="soft">${whatHappened(change)}</span>`;
}

const PAGES = { policy: "/policy", config: "/configuration" } as const;

/** @param path where it is sent to be undone */
export function wayOfFile(view: View, change: FileChangeNow, path: string): Html {
  const { kind, file, before, after, isChangedSince } = change;
  const undoing = before === null
    ? "The file is removed"
    : after === null
    ? "The file is there again"
    : "The file becomes";
  return markup`<section class="panel" aria-labelledby="undo-h"><header><h2 id="undo-h">Undo the change of <code>${file}</code></h2></header><div class="body stack">${
    isChangedSince &&
    notice(
      "wait",
      markup`<strong>It changed since.</strong> So it is not undone by itself: change it on <a href="${
        PAGES[kind]
      }">its page</a>, or undo the later change first.`,
    )
  }<h3>${undoing}</h3>${
    diff(textDiff(after ?? "", before ?? ""), `What undoing changes in ${file}`)
  }</div>${
    !isChangedSince &&
    markup`<form class="verdict" method="post" action="${path}">${
      token(view.session)
    }<button class="main">Undo this change</button>${
      !isElevated(view.session, view.nowMs) &&
      markup`<span class="small soft">It takes <a href="/sessions">elevated mode</a>.</span>`
    }</form>`
  }</section>`;
}
