// SPDX-License-Identifier: GPL-2.0-or-later
/** One request, whole: its claim, what would change, what runs, and the answer. @module */

import type { View } from "../admin_context.ts";
import type { ParkedRequest, Preview } from "../channel/dom0_channel.ts";
import { type Html, lines, markup, when } from "../markup/markup.ts";
import { countHidden } from "../markup/visible_text.ts";
import { diff, many, qube, qubeList, says, span, time, token } from "./parts.ts";
import { stepPreviews } from "./plans/plan_detail.ts";
import { MAX_REASON_CHARS, nameToType, operationWords, requestPath } from "./request_words.ts";

export function wholeRequest(view: View, request: ParkedRequest): Html {
  const { vm, id, why, rule, hash, canBeUndone } = request;
  const hidden = countHidden([why ?? "", ...request.runs].join("\n"));
  return markup`<section class="panel" aria-labelledby="ask-h">
<header><h2 id="ask-h"><code>${operationWords(request)}</code> on ${
    qubeList(view, request.targets)
  }</h2><span class="small soft">asked by ${qube(view, vm)}, ${
    time(request.parkedMs, view.nowMs)
  }; expires in ${span(request.expiresMs - view.nowMs)}</span></header>
<div class="body stack">
${
    why === null ? markup`<p class="soft">${vm} gives no reason.</p>` : says(
      view,
      vm,
      "its own words; dom0 has not checked them",
      markup`<blockquote>${why}</blockquote>`,
    )
  }
${
    hidden > 0 &&
    markup`<div class="notice wait"><div><strong>This request has ${
      many(hidden, "character")
    } that do not show, or that move others.</strong> They stand here in boxes.</div></div>`
  }
<h3>What would change${
    request.preview !== null &&
    markup` <span class="soft small">read by dom0 at ${
      time(request.preview.readMs, view.nowMs)
    }</span>`
  }</h3>
${
    request.steps === null
      ? markup`${preview(request, request.preview)}
${runs(view, request)}`
      : stepPreviews(request.steps)
  }
<dl class="facts small">${
    rule !== null &&
    markup`<dt>Asks because</dt><dd><code>${rule.where}</code>${
      rule.text !== "" && markup`: <code>${rule.text}</code>`
    } <a href="/policy">Open</a></dd>`
  }
<dt>Undo</dt><dd>${canBeUndone ? "Can be undone" : "Cannot be undone"}</dd>
<dt>Request</dt><dd><code>${id}</code></dd>
<dt>Bound to</dt><dd><code>sha256 ${
    hash.slice(0, 16)
  }…</code> If what would change is another by the time you answer, you see it again instead of it running.</dd></dl>
</div>
${verdict(view, request)}
</section>`;
}

function preview({ isScript, operation }: ParkedRequest, found: Preview | null): Html {
  if (found === null || (found.lines.length === 0 && found.notes.length === 0)) {
    return markup`<p class="small">dom0 cannot tell what ${
      isScript ? "a shell script" : markup`<code>${operation}</code>`
    } would change.${isScript && " It runs as root. It cannot be undone."}</p>`;
  }
  return markup`${found.lines.length > 0 && diff(found.lines, "Before and after")}${
    found.notes.map((note) => markup`<p class="small">${note}</p>`)
  }`;
}

function runs(view: View, { isScript, runs, vm }: ParkedRequest): Html {
  const text = runs.join("\n");
  return isScript
    ? markup`<h3>What runs, ${many(runs.length, "line")}</h3>${
      says(
        view,
        vm,
        `${many(new TextEncoder().encode(text).length, "byte")}, as root`,
        markup`<pre tabindex="0" aria-label="Script, controls shown in boxes">${lines(text)}</pre>`,
      )
    }`
    : markup`<h3>What runs</h3><pre aria-label="Commands that dom0 would run">${lines(text)}</pre>`;
}

/** For a request that destroys something, or may do anything, no button invites a quick yes. */
function verdict({ session }: View, request: ParkedRequest): Html {
  const { destructive, level } = request;
  const hidden = markup`${token(session)}<input type="hidden" name="hash" value="${request.hash}">`;
  const action = requestPath(request);
  const main = destructive || level === "full" ? "" : "main";
  return markup`<div class="verdict" role="group" aria-label="Answer">${
    destructive
      ? markup`<a class="btn" role="button" href="${action}?dialog=destroy" data-key="a" data-open="destroy">Approve… <kbd>a</kbd></a>`
      : markup`<form method="post" action="${action}">${hidden}<button class="${main}" name="answer" value="once" data-key="a">Approve once <kbd>a</kbd></button></form>
<form method="post" action="${action}">${hidden}<button name="answer" value="while" data-key="t">For 10 minutes <kbd>t</kbd></button></form>`
  }
<a class="btn danger" role="button" href="${action}?dialog=deny" data-key="d" data-open="deny">Deny… <kbd>d</kbd></a>
<span class="push small soft row"><span><kbd>j</kbd> <kbd>k</kbd> next, previous</span></span></div>`;
}

export function answerDialogs({ session, query }: View, request: ParkedRequest): Html {
  const hidden = markup`${token(session)}<input type="hidden" name="hash" value="${request.hash}">`;
  const action = requestPath(request);
  const isOpen = (name: string): Html => when(query.get("dialog") === name, markup` open`);
  const name = nameToType(request);
  return markup`<div id="answers" data-live><dialog id="deny" aria-labelledby="deny-h"${
    isOpen("deny")
  }><form method="post" action="${action}">${hidden}<input type="hidden" name="answer" value="deny">
<h2 id="deny-h">Deny ${request.operation}?</h2>
<div class="stack"><div class="field"><label for="reason">Reason, sent to ${request.vm}</label><input id="reason" name="reason" size="44" maxlength="${MAX_REASON_CHARS}" autofocus placeholder="none" autocomplete="off"><small>The VM gets exit code 126 and this line. Leave it empty to give no reason.</small></div></div>
<footer><a class="btn" href="${action}" data-close>Cancel</a><button class="main">Deny</button></footer></form></dialog>${
    request.destructive &&
    markup`<dialog id="destroy" aria-labelledby="destroy-h"${
      isOpen("destroy")
    }><form method="post" action="${action}">${hidden}<input type="hidden" name="answer" value="once">
<h2 id="destroy-h">Approve ${request.operation} on <bdi>${name}</bdi>?</h2>
<div class="stack">${
      (request.preview?.notes ?? []).map((note) => markup`<p>${note}</p>`)
    }<p>This cannot be undone.</p>
<div class="field"><label for="destroy-name">Type <code>${name}</code> to approve it</label><input id="destroy-name" name="name" autocomplete="off" spellcheck="false" autofocus data-word="${name}" data-for="destroy-go"></div></div>
<footer><a class="btn" href="${action}" data-close>Cancel</a><button id="destroy-go" class="alarm">Approve</button></footer></form></dialog>`
  }</div>`;
}
