// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Approvals: what waits, one of it whole, and what is known of its qubes. @module */

import type { View } from "../admin_context.ts";
import type { OpenGrant, ParkedRequest } from "../channel/dom0_channel.ts";
import { type Html, markup, NOTHING, when } from "../markup/markup.ts";
import type { Answer } from "../server/http_message.ts";
import { answerDialogs, wholeRequest } from "./approval_request.ts";
import { page } from "./layout.ts";
import { count, empty, level, panel, postButton, qube, qubeList, span, state } from "./parts.ts";
import { operationWords, requestPath } from "./request_words.ts";

export function approvalsPage(
  view: View,
  chosen: ParkedRequest | undefined,
  isGone: boolean,
): Answer {
  const { parked } = view.now;
  const oldest = parked.at(-1);
  return page(view, {
    title: "Approvals",
    facts: oldest === undefined
      ? "None waits"
      : `${parked.length === 1 ? "1 waits" : `${count(parked.length)} wait`}, the oldest for ${
        span(view.nowMs - oldest.parkedMs)
      }`,
    actions: markup`<span class="small soft" id="live-state" data-own>${
      state("off", "Not live")
    }</span>`,
    main: markup`<div class="cols">
<div class="c4 w3">${list(view, chosen)}</div>
<div class="c8 w6" id="chosen" data-live${
      chosen !== undefined && markup` data-request="${chosen.vm}/${chosen.id}/${chosen.hash}"`
    }>${chosen === undefined ? nothing(isGone) : wholeRequest(view, chosen)}</div>
${
      chosen !== undefined &&
      markup`<div class="only-wide w3 stack" id="aside" data-live>${context(view, chosen)}</div>`
    }
</div>`,
    dialogs: chosen === undefined ? NOTHING : answerDialogs(view, chosen),
  });
}

function nothing(isGone: boolean): Html {
  return markup`<section class="panel">${
    isGone
      ? empty(
        "This request waits no more.",
        markup`<span class="soft">It was answered, it expired, or its VM took it back. <a href="/logs">The log has its end.</a></span>`,
      )
      : empty(
        "Nothing waits for you.",
        markup`<span class="soft">A request appears here when a rule says <code>ask</code>. <a href="/policy">Keys and policy</a></span>`,
      )
  }</section>`;
}

function list(view: View, chosen: ParkedRequest | undefined): Html {
  const { parked, grants } = view.now;
  const isChosen = (request: ParkedRequest): boolean =>
    request.vm === chosen?.vm && request.id === chosen.id;
  return panel(
    { title: "Waiting", id: "list", isLive: true, aside: "newest first" },
    markup`${
      parked.length === 0
        ? empty("None.")
        : markup`<ul class="list" data-rows>${
          parked.map((request) =>
            markup`<li data-key="${request.vm}/${request.id}"><a href="${requestPath(request)}"${
              when(isChosen(request), markup` aria-current="true"`)
            }><span class="row"><code class="clip">${
              operationWords(request)
            }</code><span class="soft small">${
              span(view.nowMs - request.parkedMs)
            }</span></span><span class="row small"><span>${
              qube(view, request.vm)
            } <span class="soft">on</span> ${qubeList(view, request.targets)}</span>${
              request.destructive
                ? markup`<span class="level gone">destroys</span>`
                : request.level === "full" && level("full")
            }</span></a></li>`
          )
        }</ul>`
    }${grants.length > 0 && openGrants(view, grants)}`,
  );
}

function openGrants(view: View, grants: readonly OpenGrant[]): Html {
  return markup`<div class="body small stack"><h3>Grants that are open</h3>${
    grants.map(({ id, vm, operation, untilMs }) =>
      markup`<div class="row" data-key="${id}">${
        qube(view, vm)
      } <code>${operation}</code> <span class="soft">${
        span(untilMs - view.nowMs)
      } left</span> <span class="push">${
        postButton(
          view.session,
          "/grants",
          { grant: id },
          markup`End<span class="vh"> grant of ${operation} to ${vm}</span>`,
        )
      }</span></div>`
    )
  }</div>`;
}

function context(view: View, { vm, targets }: ParkedRequest): Html {
  const about = [...new Set([...targets.filter((one) => one !== null), vm])];
  return markup`${
    about.map((name) => {
      const known = view.qubes.byName.get(name);
      return panel(
        { title: markup`${name} now` },
        known === undefined
          ? empty("dom0 has no qube of this name.")
          : markup`<div class="body"><dl class="facts"><dt>State</dt><dd>${known.state}</dd><dt>Netvm</dt><dd>${
            known.netvm === null ? "none" : qube(view, known.netvm)
          }</dd><dt>Template</dt><dd>${
            known.template ?? "none"
          }</dd></dl><p class="small"><a href="/qubes/${
            encodeURIComponent(name)
          }">Open</a></p></div>`,
      );
    })
  }`;
}
