// SPDX-License-Identifier: GPL-2.0-or-later
/** Undo: what dom0 recorded a way back for. @module */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import { Dom0Error, type Undoable } from "../channel/dom0_channel.ts";
import { shownValue } from "../../operations/shown_value.ts";
import { type Html, lines, markup, when } from "../markup/markup.ts";
import { type Answer, type AskedBySession, seeOther } from "../server/http_message.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { diff, empty, qube, state, table, time, token } from "./parts.ts";

export function undoRoutes(admin: Admin): readonly Route[] {
  const show = async (asked: AskedBySession): Promise<Answer> => {
    const [view, all] = await Promise.all([viewOf(admin, asked), admin.channel.undoable()]);
    return undoPage(view, all, asked.named["id"] ?? all[0]?.id);
  };
  return [
    { method: "GET", path: "/undo", access: "session", answer: show },
    { method: "GET", path: "/undo/:id", access: "session", answer: show },
    { method: "POST", path: "/undo/:id", access: "session", answer: (asked) => undo(admin, asked) },
  ];
}

async function undo(admin: Admin, { named, session }: AskedBySession): Promise<Answer> {
  const id = named["id"] ?? "";
  try {
    await admin.channel.undo(id, askerOf(session));
    session.notices.push({ kind: "ok", text: "Undone, and on record." });
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `Not undone: ${error.message}.` });
  }
  admin.qubes.forget();
  return seeOther("/undo");
}

function undoPage(view: View, all: readonly Undoable[], id: string | undefined): Answer {
  const chosen = all.find((one) => one.id === id);
  return page(view, {
    title: "Undo",
    facts: "What dom0 recorded a way back for. The undoing is on record too.",
    main:
      markup`<div class="cols"><section class="panel c7" id="undoable" data-live aria-label="Can be undone">${
        all.length === 0
          ? empty(
            "Nothing can be undone.",
            markup`<span class="soft">A change of a setting, a tag, a rule of the firewall or the like stands here, with the way back. <a href="/logs">Everything is in the log.</a></span>`,
          )
          : list(view, all, chosen)
      }<div class="body small soft">Not listed, since there is no way back: <code>vm.remove</code>, <code>shell</code>, <code>vm.run</code>. Changes of files of policy are undone on <a href="/policy#changes">Policy</a>.</div></section>
${chosen !== undefined && markup`<div class="c5">${way(view, chosen)}</div>`}</div>`,
  });
}

function list(view: View, all: readonly Undoable[], chosen: Undoable | undefined): Html {
  return table(
    [{ name: "When" }, { name: "What" }, { name: "By" }, { name: "Since then" }],
    all.map((one) => ({
      key: one.id,
      look: when(one === chosen, markup` aria-selected="true"`),
      cells: [
        markup`<a href="/undo/${encodeURIComponent(one.id)}">${time(one.timeMs, view.nowMs)}</a>`,
        markup`${
          one.values["vm"] !== undefined && qube(view, one.values["vm"])
        } <code>${one.operation}</code> <span class="soft">${whatOf(one)}</span>`,
        one.by,
        one.changedSince === null ? "Not changed" : state("wait", "Changed"),
      ],
    })),
    "long",
  );
}

/** What it was about, and what it was set to: "netvm sys-vpn". */
function whatOf({ values }: Undoable): string {
  return Object.entries(values).filter(([name]) => name !== "vm").map(([, value]) => value)
    .join(" ");
}

function way(view: View, { id, operation, values, runs, before, changedSince }: Undoable): Html {
  const vm = values["vm"];
  return markup`<section class="panel" aria-labelledby="undo-h"><header><h2 id="undo-h">Undo <code>${operation}</code>${
    vm !== undefined && markup` on ${qube(view, vm)}`
  }</h2></header><div class="body stack">
${
    changedSince !== null &&
    markup`<div class="notice wait"><div><strong>It changed since.</strong> It is ${changedSince} now. Undoing takes that back as well.</div></div>`
  }
<h3>What was there before</h3>${
    diff(
      [{ kind: "added", text: shownValue(before) }],
      "Before",
    )
  }
<h3>What runs</h3><pre>${lines(runs.join("\n"))}</pre></div>
<form class="verdict" method="post" action="/undo/${encodeURIComponent(id)}">${
    token(view.session)
  }<button class="main">Undo this change</button></form></section>`;
}
