// SPDX-License-Identifier: GPL-2.0-or-later
/** Before a file of policy is removed: its rules, and who may do what without them. @module */

import { isElevated, type View } from "../../admin_context.ts";
import type { PolicyState, PolicyTrial } from "../../channel/policy_channel.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { diff, empty, many, token } from "../parts.ts";
import { effectTable } from "./who_table.ts";

export function removing(
  view: View,
  { files, rules }: PolicyState,
  file: string,
  { error, warnings, effects }: PolicyTrial,
): Html {
  const known = files.find(({ name }) => name === file);
  if (known === undefined) {
    return markup`<section class="panel c9 w6" id="editor">${
      empty("There is no such file.", markup`<a href="/policy">All files</a>`)
    }</section>`;
  }
  const path = `/policy/${encodeURIComponent(file)}`;
  const own = rules.filter(({ where }) => where.startsWith(`${file}:`));
  return markup`<section class="panel c9 w6" id="editor"><header><h2>Remove ${file}?</h2><span class="small soft">nothing is removed yet</span></header><div class="body stack">
<p>${many(own.length, "rule")} in force would go. It can be undone, below.</p>
${
    own.length > 0 &&
    diff(own.map(({ text }) => ({ kind: "removed", text })), `Rules of ${file} in force`)
  }
<h3>Who loses or gains by it</h3>${
    error !== null ? markup`<p class="bad">${error}</p>` : effectTable(view, effects)
  }
<ul class="stack small">${
    warnings.map(({ where, text }) =>
      markup`<li><strong class="wait">Warning.</strong> <code>${where}</code>: ${text}</li>`
    )
  }</ul></div>
<form class="verdict" method="post" action="${path}#editor">${
    token(view.session)
  }<input type="hidden" name="seen" value="${known.mark}"><button class="danger" name="what" value="remove">Remove ${file}</button><a class="btn" href="${path}#editor">Cancel</a>${
    !isElevated(view.session, view.nowMs) &&
    markup`<span class="small soft">It takes <a href="/sessions">elevated mode</a>.</span>`
  }</form></section>`;
}
