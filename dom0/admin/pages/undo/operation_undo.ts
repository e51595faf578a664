// SPDX-License-Identifier: GPL-2.0-or-later
/** The way back of an operation. @module */

import type { View } from "../../admin_context.ts";
import type { Undoable } from "../../channel/dom0_channel.ts";
import { shownValue } from "../../../operations/shown_value.ts";
import { type Html, lines, markup } from "../../markup/markup.ts";
import { diff, qube, token } from "../parts.ts";

/** What it was about, and what it was set to: "netvm sys-vpn". */
export function whatOfOperation(view: View, { operation, values }: Undoable): Html {
  const set = Object.entries(values).filter(([name]) => name !== "vm").map(([, value]) => value);
  return markup`${
    values["vm"] !== undefined && qube(view, values["vm"])
  } <code>${operation}</code> <span class="soft">${set.join(" ")}</span>`;
}

/** @param path where it is sent to be undone */
export function wayOfOperation(
  view: View,
  { operation, values, runs, before, changedSince }: Undoable,
  path: string,
): Html {
  const vm = values["vm"];
  return markup`<section class="panel" aria-labelledby="undo-h"><header><h2 id="undo-h">Undo <code>${operation}</code>${
    vm !== undefined && markup` on ${qube(view, vm)}`
  }</h2></header><div class="body stack">
${
    changedSince !== null &&
    markup`<div class="notice wait"><div><strong>It changed since.</strong> It is ${changedSince} now. Undoing takes that back as well.</div></div>`
  }
<h3>What was there before</h3>${diff([{ kind: "added", text: shownValue(before) }], "Before")}
<h3>What runs</h3><pre>${lines(runs.join("\n"))}</pre></div>
<form class="verdict" method="post" action="${path}">${
    token(view.session)
  }<button class="main">Undo this change</button></form></section>`;
}
