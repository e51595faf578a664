// SPDX-License-Identifier: GPL-2.0-or-later
/** Qubes: the list, and what a person does most with one of it. @module */

import { type Admin, askerOf, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error } from "../../channel/dom0_channel.ts";
import { type Content, type Html, markup, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Qube } from "../../qube_list.ts";
import type { Route } from "../../server/router.ts";
import { page } from "../layout.ts";
import { count, empty, labelled, power, qube, qubeLink, table, token } from "../parts.ts";

/** What the buttons do, by the operation's name. */
export const POWER_OPERATIONS: ReadonlyMap<
  string,
  {
    readonly button: string;
    readonly done: string;
    readonly values: Readonly<Record<string, string>>;
  }
> = new Map([
  ["vm.start", { button: "Start", done: "starts", values: {} }],
  ["vm.shutdown", { button: "Shut down", done: "shuts down", values: {} }],
  ["vm.restart", { button: "Restart", done: "was restarted", values: {} }],
  ["vm.kill", { button: "Kill", done: "was killed", values: {} }],
  ["vm.pause", { button: "Pause", done: "is paused", values: {} }],
  ["vm.unpause", { button: "Resume", done: "goes on", values: {} }],
  ["vm.remove", { button: "Remove", done: "was removed", values: {} }],
]);

export function qubesRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/qubes",
    access: "session",
    answer: async (asked) => qubesPage(await viewOf(admin, asked)),
  }, {
    method: "POST",
    path: "/qubes/:vm/power",
    access: "session",
    answer: (asked) => changePower(admin, asked),
  }];
}

async function changePower(
  admin: Admin,
  { named, form, session }: AskedBySession,
): Promise<Answer> {
  const vm = named["vm"] ?? "";
  const operation = form.get("operation") ?? "";
  const known = POWER_OPERATIONS.get(operation);
  if (known === undefined) throw new HttpError(400, "there is no such button");
  const back = form.get("back") === "list" ? "/qubes" : `/qubes/${encodeURIComponent(vm)}`;
  if (operation === "vm.remove" && form.get("name") !== vm) {
    session.notices.push({ kind: "bad", text: `Not removed: type ${vm} to remove it.` });
    return seeOther(back);
  }
  try {
    const { exitCode, stderr } = await admin.channel.run(
      operation,
      { vm, ...known.values },
      askerOf(session),
    );
    session.notices.push(
      exitCode === 0 ? { kind: "ok", text: `${vm} ${known.done}.` } : {
        kind: "bad",
        text: `${known.button} ${vm}: it failed with code ${exitCode}. ${stderr.trim()}`,
      },
    );
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: error.message });
  }
  admin.qubes.forget();
  return seeOther(operation === "vm.remove" ? "/qubes" : back);
}

function qubesPage(view: View): Answer {
  const { qubes, problem } = view.qubes;
  const shown = qubes.filter((one) => matches(view.query, one, view)).toSorted(inOrder);
  const running = qubes.filter(({ state }) => state !== "Halted");
  const memory = running.reduce((sum, one) => sum + (one.memory ?? 0), 0);
  return page(view, {
    title: "Qubes",
    facts: `${count(qubes.length)}, of which ${count(running.length)} run${
      memory > 0 ? `; ${(memory / 1024).toFixed(1)} GB of memory in use` : ""
    }`,
    actions: markup`<a class="btn" href="/execute?operation=vm.create">Create a qube</a>`,
    main:
      markup`<nav class="tabs" aria-label="View"><a href="/qubes" aria-current="page">Table</a><a href="/network">Netvm tree</a></nav>
${
        problem !== null &&
        markup`<div class="notice bad" role="alert"><div><strong>dom0 did not list its qubes.</strong> ${problem}</div></div>`
      }
${filters(view)}
<section class="panel" id="qubes" data-live aria-label="Qubes">${
        shown.length === 0 ? noMatch(view, qubes.length) : list(view, shown)
      }</section>`,
  });
}

function inOrder(one: Qube, other: Qube): number {
  const rank = ({ state }: Qube): number => state === "Halted" ? 1 : 0;
  return rank(one) - rank(other) || (one.name < other.name ? -1 : 1);
}

function matches(
  query: URLSearchParams,
  { name, template, state, label }: Qube,
  { now }: View,
): boolean {
  const text = (query.get("text") ?? "").toLowerCase();
  const has = (one: string | null): boolean => one !== null && one.toLowerCase().includes(text);
  const wanted = (key: string, value: string): boolean => (query.get(key) || value) === value;
  const isAuthorised = now.daemon?.vms.some(({ vm }) => vm === name) ?? false;
  return (has(name) || has(template)) && wanted("state", state) && wanted("label", label) &&
    (query.get("authorised") !== "1" || isAuthorised);
}

function filters({ query, qubes }: View): Html {
  const options = (key: string, values: Iterable<string>): Content =>
    [...new Set(values)].sort().map((value) =>
      markup`<option${when(query.get(key) === value, markup` selected`)}>${value}</option>`
    );
  const all = qubes.qubes;
  return markup`<form class="filters" method="get" action="/qubes" role="search" aria-label="Filter qubes">
<div class="field grow"><label for="text">Name or template</label><input id="text" name="text" type="search" value="${
    query.get("text") ?? ""
  }" autocomplete="off" data-filter></div>
<div class="field"><label for="state">State</label><select id="state" name="state"><option value="">Any</option>${
    options("state", all.map(({ state }) => state))
  }</select></div>
<div class="field"><label for="label">Label</label><select id="label" name="label"><option value="">Any</option>${
    options("label", all.map(({ label }) => label))
  }</select></div>
<label class="check"><input type="checkbox" name="authorised" value="1"${
    when(query.get("authorised") === "1", markup` checked`)
  }> Authorised for qvm-remote only</label>
<button>Filter</button>
</form>`;
}

function noMatch({ query }: View, all: number): Html {
  if (all === 0) {
    return empty("No qube is known.", "As soon as dom0 lists its qubes, they stand here.");
  }
  return empty(
    markup`No qube matches ${
      query.get("text") ? markup`“${query.get("text")}”` : "these filters"
    }. ${count(all)} qubes.`,
    markup`<a href="/qubes">Clear filters</a>`,
  );
}

function list(view: View, qubes: readonly Qube[]): Html {
  return table(
    [
      { name: "Qube" },
      { name: "State" },
      { name: "Class", look: "col-wide" },
      { name: "Template" },
      { name: "Netvm" },
      { name: "Label", look: "col-wide" },
      { name: "Memory", look: "num" },
      { name: "Action", look: "num", isSilent: true },
    ],
    qubes.map((one) => ({
      key: one.name,
      cells: [
        qubeLink(view, one.name),
        power(one.state),
        one.class,
        one.template ?? markup`<span class="soft">own</span>`,
        one.netvm === null ? markup`<span class="soft">none</span>` : qube(view, one.netvm),
        labelled(one.label),
        one.memory !== null && `${count(one.memory)} MB`,
        button(view, one),
      ],
    })),
    "long",
  );
}

function button({ session }: View, { name, state, class: of }: Qube): Content {
  if (of === "AdminVM") return null;
  const operation = state === "Halted"
    ? "vm.start"
    : state === "Paused"
    ? "vm.unpause"
    : "vm.shutdown";
  return markup`<form method="post" action="/qubes/${encodeURIComponent(name)}/power">${
    token(session)
  }<input type="hidden" name="operation" value="${operation}"><input type="hidden" name="back" value="list"><button class="lean">${
    POWER_OPERATIONS.get(operation)?.button
  }<span class="vh"> ${name}</span></button></form>`;
}
