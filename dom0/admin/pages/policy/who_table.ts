// SPDX-License-Identifier: GPL-2.0-or-later
/** Who may do what, made from rules; and what a text would change of it. @module */

import type { View } from "../../admin_context.ts";
import type { WhoMay } from "../../channel/policy_channel.ts";
import type { Effect, Verdict } from "../../../admin_orders/who_may.ts";
import { type Content, type Html, markup } from "../../markup/markup.ts";
import { empty, level, panel, qubeLink, table } from "../parts.ts";

export function who(view: View, all: readonly WhoMay[]): Html {
  if (all.length === 0) {
    return panel(
      { title: "Who may do what", id: "who" },
      empty(
        "No VM is authorised.",
        markup`<span class="soft">A VM is let in by its key: <a href="/keys">Keys</a>.</span>`,
      ),
    );
  }
  return panel(
    { title: "Who may do what", id: "who", isLive: true, aside: "made from the rules in force" },
    table(
      [
        { name: "VM" },
        { name: "monitor" },
        { name: "manage" },
        { name: "full" },
        { name: "shell" },
        { name: "Key" },
      ],
      all.map(({ vm, fingerprint, answers: by }) => ({
        key: vm,
        cells: [
          qubeLink(view, vm),
          verdicts(by.monitor),
          verdicts(by.manage),
          verdicts(by.full),
          verdicts(by.shell),
          markup`<a class="small" href="/keys"><code>${fingerprint}</code></a>`,
        ],
      })),
    ),
  );
}

export function effectTable(view: View, effects: readonly Effect[]): Html {
  if (effects.length === 0) {
    return markup`<p class="small">For no authorised VM does it change an answer.</p>`;
  }
  return table(
    [{ name: "VM" }, { name: "Level" }, { name: "Now" }, { name: "Then" }],
    effects.map(({ vm, column, before, after }) => ({
      cells: [qubeLink(view, vm), level(column), verdicts(before), verdicts(after)],
    })),
  );
}

function verdicts(of: readonly Verdict[]): Content {
  return of.length === 0
    ? markup`<span class="deny">deny</span>`
    : of.map(({ action, where, target }) =>
      markup`<div><span class="${action}">${action}</span> <span class="small soft">${target} <code>${where}</code></span></div>`
    );
}
