// SPDX-License-Identifier: GPL-2.0-or-later
/** What runs for VMs now, and the end of one of it. @module */

import type { View } from "../../admin_context.ts";
import { type Html, markup, NOTHING } from "../../markup/markup.ts";
import { runningRequests } from "../../../daemon/running_requests.ts";
import type { PastRequest } from "../../../record/request_history.ts";
import { many, panel, qube, qubeList, table, time, token } from "../parts.ts";
import { type Asked, askedOf } from "../record_words.ts";

interface Running {
  readonly vm: string;
  readonly id: string;
  /** undefined: the record of a day does not have it. */
  readonly asked: PastRequest | undefined;
}

function runningNow({ now }: View, asked: Asked): readonly Running[] {
  return (now.daemon?.vms ?? []).flatMap((one) =>
    runningRequests(one).map((id) => ({ vm: one.vm, id, asked: askedOf(asked, one.vm, id) }))
  );
}

/** Nothing where nothing runs: that is the usual. */
export function runningPanel(view: View, asked: Asked): Html {
  const running = runningNow(view, asked);
  return markup`<div id="running" data-live>${
    running.length > 0 &&
    panel(
      { title: "Running now", aside: many(running.length, "request") },
      table(
        [{ name: "VM" }, { name: "Operation" }, { name: "On" }, { name: "Since" }, {
          name: "Action",
          look: "num",
          isSilent: true,
        }],
        running.map((one) => ({ key: `${one.vm}/${one.id}`, cells: cells(view, one) })),
      ),
    )
  }</div>`;
}

function cells(view: View, { vm, id, asked }: Running) {
  const words = operationOf(asked);
  return [
    qube(view, vm),
    markup`<code title="${id}">${words}</code>`,
    qubeList(view, (asked?.targets ?? []).map((name) => name === "dom0" ? null : name)),
    asked === undefined ? markup`<span class="soft">not known</span>` : time(
      Date.parse(asked.lastTime),
      view.nowMs,
    ),
    markup`<a class="btn lean danger" href="/?dialog=end&amp;vm=${encodeURIComponent(vm)}&amp;id=${
      encodeURIComponent(id)
    }">End…<span class="vh"> ${words} of ${vm}</span></a>`,
  ];
}

function operationOf(asked: PastRequest | undefined): string {
  return asked?.operation || "a request";
}

/** For the one that the address names, while it runs. */
export function endDialog(view: View, asked: Asked): Html {
  const { query } = view;
  const wanted = runningNow(view, asked).find(({ vm, id }) =>
    query.get("dialog") === "end" && query.get("vm") === vm && query.get("id") === id
  );
  if (wanted === undefined) return NOTHING;
  const { vm, id } = wanted;
  return markup`<dialog id="end" aria-labelledby="end-h" open><form method="post" action="/requests/${
    encodeURIComponent(vm)
  }/${encodeURIComponent(id)}/end">${token(view.session)}
<h2 id="end-h">End <code>${operationOf(wanted.asked)}</code> of ${qube(view, vm)}?</h2>
<div class="stack"><p>Its processes are ended, and <bdi>${vm}</bdi> is told that it was cancelled. What it has done by then stays done.</p><p class="small soft"><code>${id}</code></p></div>
<footer><a class="btn" href="/" data-close autofocus>Cancel</a><button class="alarm">End it</button></footer></form></dialog>`;
}
