// SPDX-License-Identifier: GPL-2.0-or-later
/** A file of policy in its editor: checked and tried before it is saved. @module */

import { isElevated, type View } from "../../admin_context.ts";
import type { Dom0Error } from "../../channel/dom0_channel.ts";
import type {
  Explanation,
  PolicyCheck,
  PolicyState,
  PolicyTrial,
} from "../../channel/policy_channel.ts";
import { type Content, type Html, markup, NOTHING, when } from "../../markup/markup.ts";
import { empty, token } from "../parts.ts";
import { textEditor } from "../text_editor.ts";
import { explanationOf } from "./explain_panel.ts";
import { effectTable } from "./who_table.ts";

export interface Draft {
  readonly text: string;
  /** The mark of what the person saw; null: there was no file. */
  readonly seen: string | null;
  readonly trial: PolicyTrial;
  readonly explained: Explanation | Dom0Error | null;
}

export function editFile(
  view: View,
  policy: PolicyState,
  file: string | null,
  draft: Draft | null,
): Html {
  const known = policy.files.find(({ name }) => name === file);
  if (known === undefined || file === null) {
    return markup`<section class="panel c9 w6" id="editor">${
      empty(
        file === null ? "There is no file yet." : "There is no such file.",
        markup`<a href="/policy">All files</a>, or <a href="/policy?new=asks#editor">a new one</a>`,
      )
    }</section>`;
  }
  const path = `/policy/${encodeURIComponent(file)}`;
  return markup`<section class="panel c9 w6" id="editor"><header><h2>${file}</h2><span class="small soft">${
    draft === null ? "as it is on the disk" : "not saved"
  }</span></header><form class="body stack" method="post" action="${path}#editor">${
    editorParts(view, policy, {
      file,
      text: draft?.text ?? known.text,
      seen: draft?.seen ?? known.mark,
      check: draft?.trial ?? policy,
      draft,
      more:
        markup`<a href="${path}">Go back to the version on the disk</a><a class="btn danger push" href="${path}?remove#editor">Remove…</a>`,
    })
  }</form></section>`;
}

interface EditorParts {
  readonly file: string;
  readonly text: string;
  readonly seen: string | null;
  readonly check: PolicyCheck;
  readonly draft: Draft | null;
  readonly more: Content;
}

/** What is in the form of a file, new or not. */
export function editorParts(view: View, policy: PolicyState, parts: EditorParts): Html {
  const { file, text, seen, check, draft, more } = parts;
  return markup`${token(view.session)}<input type="hidden" name="seen" value="${seen}">
${
    textEditor(text, {
      name: file || "the new file",
      isWrong: check.error !== null && draft !== null,
      found: "found",
    })
  }
${found(file, check, draft)}
${draft !== null && draft.trial.error === null && effects(view, draft)}
<div class="row"><button class="main" name="what" value="save">Save</button><button name="what" value="check">Check</button>${more}</div>
<p class="small soft">A file with an error is not saved.${
    !isElevated(view.session, view.nowMs) &&
    markup` Saving takes <a href="/sessions">elevated mode</a>.`
  }</p>
${trying(policy, draft)}`;
}

function found(file: string, check: PolicyCheck, draft: Draft | null): Html {
  const warnings = check.warnings.filter(({ where }) => where.startsWith(`${file}:`));
  const isBad = draft !== null && check.error !== null;
  return markup`<ul id="found" class="stack small">${
    isBad && markup`<li><strong class="bad">Error.</strong> ${check.error}</li>`
  }${
    warnings.map(({ where, text }) =>
      markup`<li><strong class="wait">Warning.</strong> <code>${where}</code>: ${text}</li>`
    )
  }${
    draft !== null && !isBad && warnings.length === 0 && markup`<li>Nothing is wrong with it.</li>`
  }</ul>`;
}

function effects(view: View, { trial }: Draft): Html {
  return markup`<h3>What it would change</h3>${effectTable(view, trial.effects)}`;
}

/** Asked together with "Check": how this text would decide. */
function trying({ who }: PolicyState, draft: Draft | null): Html {
  if (who.length === 0) return NOTHING;
  return markup`<details${
    when(draft?.explained !== null && draft !== null, markup` open`)
  }><summary>Try a request against this text</summary><div class="stack gap"><div class="row"><div class="field"><label for="try-vm">VM</label><select id="try-vm" name="try-vm">${
    who.map(({ vm }) => markup`<option>${vm}</option>`)
  }</select></div><div class="field grow"><label for="try-words">Command</label><input id="try-words" name="try-words" size="26" placeholder="qvm-start work" autocomplete="off" spellcheck="false"></div><button name="what" value="check">Try it</button></div>${
    draft !== null && explanationOf(draft.explained)
  }</div></details>`;
}
