// SPDX-License-Identifier: GPL-2.0-or-later
/** Network: which qube reaches the network through whom, as a tree that is a list. @module */

import { type Admin, type View, viewOf } from "../../admin_context.ts";
import { type Html, markup, NOTHING } from "../../markup/markup.ts";
import type { Qube } from "../../qube_list.ts";
import type { Route } from "../../server/router.ts";
import { page } from "../layout.ts";
import { count, empty, many, panel, qubeLink } from "../parts.ts";

export function networkRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/network",
    access: "session",
    async answer(asked) {
      const view = await viewOf(admin, asked);
      return page(view, {
        title: "Network",
        facts: "Which qube reaches the network through whom",
        main:
          markup`<nav class="tabs" aria-label="View"><a href="/qubes">Table</a><a href="/network" aria-current="page">Netvm tree</a></nav>${
            tree(view)
          }`,
      });
    },
  }];
}

function tree(view: View): Html {
  const own = view.qubes.qubes.filter((one) => one.class !== "AdminVM");
  const clients = Map.groupBy(own, ({ netvm }) => netvm ?? "");
  const isNetvm = ({ name }: Qube): boolean => clients.has(name);
  const without = clients.get("") ?? [];
  const roots = without.filter(isNetvm);
  const offline = without.filter((one) => !isNetvm(one));
  if (own.length === 0) return panel({ title: "Netvm tree" }, empty("No qube is known."));
  return markup`<div class="pair"><section class="panel" id="tree" data-live aria-label="Netvm tree"><header><h2>Through a netvm</h2><span class="small soft">${
    many(own.length - offline.length, "qube")
  }</span></header><div class="body tree">${
    roots.length === 0
      ? markup`<p>No qube is a netvm.</p>`
      : branch(view, roots, clients, new Set())
  }</div></section>
<section class="panel" id="offline" data-live aria-label="Offline"><header><h2>No netvm</h2><span class="small soft">${
    count(offline.length)
  } offline</span></header><div class="body tree">${
    offline.length === 0
      ? markup`<p>Every qube has one.</p>`
      : branch(view, offline, clients, new Set())
  }</div></section></div>`;
}

/** @param above qubes on the way here: a circle would have no end */
function branch(
  view: View,
  qubes: readonly Qube[],
  clients: ReadonlyMap<string, readonly Qube[]>,
  above: ReadonlySet<string>,
): Html {
  const cut = [...above].find((name) => view.qubes.byName.get(name)?.state !== "Running");
  return markup`<ul>${
    qubes.map(({ name, state }) => {
      const behind = above.has(name) ? [] : clients.get(name) ?? [];
      return markup`<li data-key="${name}">${
        qubeLink(view, name)
      }<span class="soft small">${state.toLowerCase()}${
        behind.length > 0 && `, ${many(behind.length, "qube")} through it`
      }${
        cut !== undefined && state === "Running" &&
        markup`, <span class="wait">no network now: <bdi>${cut}</bdi> does not run</span>`
      }</span>${
        behind.length === 0 ? NOTHING : branch(view, behind, clients, new Set([...above, name]))
      }</li>`;
    })
  }</ul>`;
}
