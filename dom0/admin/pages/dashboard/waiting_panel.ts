// SPDX-License-Identifier: GPL-2.0-or-later
/** What waits for a person, and the two answers that need no further look: a look, and a no. @module */

import type { View } from "../../admin_context.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { empty, level, panel, qube, qubeList, span, table } from "../parts.ts";
import { operationWords, requestPath } from "../request_words.ts";

export function waitingPanel(view: View): Html {
  const { parked } = view.now;
  const content = parked.length === 0
    ? empty(
      "Nothing waits for you.",
      markup`<span class="soft">What a VM asks for, and a rule answers with <code>ask</code>, stands here.</span>`,
    )
    : table(
      [
        { name: "Asked by" },
        { name: "Operation" },
        { name: "On" },
        { name: "Waits", look: "num" },
        { name: "Action", look: "num", isSilent: true },
      ],
      parked.map((request) => ({
        key: `${request.vm}/${request.id}`,
        cells: [
          qube(view, request.vm),
          markup`<code>${operationWords(request)}</code> <span class="row-word">${
            level(request.level)
          }${request.destructive && markup` <span class="bad small">destroys</span>`}</span>`,
          qubeList(view, request.targets),
          span(view.nowMs - request.parkedMs),
          markup`<span class="row end whole"><a class="btn lean" href="${
            requestPath(request)
          }">Review<span class="vh"> ${request.operation} from ${request.vm}</span></a><a class="btn lean danger" href="${
            requestPath(request)
          }?dialog=deny">Deny…<span class="vh"> ${request.operation} from ${request.vm}</span></a></span>`,
        ],
      })),
    );
  return panel({
    title: "Waiting for you",
    id: "waiting",
    isLive: true,
    aside: markup`<a href="/approvals">Approvals</a> <kbd>g</kbd> <kbd>a</kbd>`,
  }, content);
}
