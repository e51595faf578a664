// SPDX-License-Identifier: GPL-2.0-or-later
/** Which rule decides about a request, and why those before it do not. @module */

import type { View } from "../../admin_context.ts";
import { Dom0Error } from "../../channel/dom0_channel.ts";
import type { Explanation, WhoMay } from "../../channel/policy_channel.ts";
import { type Html, markup, NOTHING, when } from "../../markup/markup.ts";

export function explainPanel(
  { query }: View,
  all: readonly WhoMay[],
  explained: Explanation | Dom0Error | null,
): Html {
  return markup`<section class="panel" id="explain"><header><h2>Explain a request</h2></header><div class="body stack"><form class="filters" method="get" action="#explain"><div class="field"><label for="ex-vm">VM</label><select id="ex-vm" name="vm">${
    all.map(({ vm }) =>
      markup`<option${when(query.get("vm") === vm, markup` selected`)}>${vm}</option>`
    )
  }</select></div><div class="field"><label for="ex-words">Command</label><input id="ex-words" name="words" size="26" value="${
    query.get("words") ?? ""
  }" placeholder="qvm-kill work" autocomplete="off" spellcheck="false"></div><button>Explain</button></form>${
    explanationOf(explained)
  }</div></section>`;
}

export function explanationOf(explained: Explanation | Dom0Error | null): Html {
  if (explained === null) return NOTHING;
  if (explained instanceof Dom0Error) return markup`<p class="bad">${explained.message}</p>`;
  const { operation, action, because, steps } = explained;
  return markup`<p><code>${operation}</code>: <strong class="${action}">${action}</strong> <span class="soft small">${because}</span></p><ol class="small stack">${
    steps.map(({ target, where, text, passedOver }) =>
      markup`<li><bdi>${target ?? "dom0"}</bdi> <code>${where}</code> ${
        passedOver === null
          ? markup`<strong>decides</strong>: <code>${text}</code>`
          : markup`<span class="soft">no: ${passedOver}</span>`
      }</li>`
    )
  }</ol>`;
}
