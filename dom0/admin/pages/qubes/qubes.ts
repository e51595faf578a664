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
import { count, empty, power, qube, qubeLink, table, token } from "../parts.ts";

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
    answer: (asked) =>
      changePower(admin, asked, asked.named["vm"] ?? "", asked.form.get("operation") ?? ""),
  }, {
    // The buttons of the list are one form: "vm.start work".
    method: "POST",
    path: "/qubes",
    access: "session",
    answer(asked) {
      const [operation = "", vm = ""] = (asked.form.get("press") ?? "").split(" ", 2);
      return changePower(admin, asked, vm, operation);
    },
  }];
}

async function changePower(
  admin: Admin,
  { form, session }: AskedBySession,
  vm: string,
  operation: string,
): Promise<Answer> {
  const known = POWER_OPERATIONS.get(operation);
  if (known === undefined) throw new HttpError(400, "there is no such button");
  const back = form.has("press")
    ? listPath(new URLSearchParams(form.get("query") ?? ""), {})
    : form.get("then") === "authorize"
    ? `/keys/authorize?vm=${encodeURIComponent(vm)}`
    : `/qubes/${encodeURIComponent(vm)}`;
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

/** As many rows as a browser lays out at once, in a page of less than 100 KB. */
const ROWS = 100;

function qubesPage(view: View): Answer {
  const { qubes, problem } = view.qubes;
  const fitting = qubes.filter((one) => matches(view.query, one, view)).toSorted(inOrder);
  const isAll = view.query.get("all") === "1";
  const pages = isAll ? 1 : Math.max(1, Math.ceil(fitting.length / ROWS));
  const at = Math.min(pages, Math.max(1, Math.trunc(Number(view.query.get("page"))) || 1));
  const shown = isAll ? fitting : fitting.slice((at - 1) * ROWS, at * ROWS);
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
      }${pages > 1 && pager(view, { at, pages, all: fitting.length })}</section>`,
  });
}

interface Place {
  readonly at: number;
  readonly pages: number;
  readonly all: number;
}

/** The filters stay, the place changes. */
function listPath(query: URLSearchParams, place: Readonly<Record<string, string>>): string {
  const kept = ["text", "state", "label", "authorised", "all", "page"]
    .map((name) => [name, place[name] ?? query.get(name) ?? ""])
    .filter(([, value]) => value !== "");
  const words = new URLSearchParams(kept).toString();
  return words === "" ? "/qubes" : `/qubes?${words}`;
}

function pager({ query }: View, { at, pages, all }: Place): Html {
  const link = (page: number, words: string): Html =>
    page < 1 || page > pages
      ? markup`<span class="soft">${words}</span>`
      : markup`<a href="${listPath(query, { page: String(page) })}">${words}</a>`;
  return markup`<nav class="body row" aria-label="More qubes"><span>${
    count((at - 1) * ROWS + 1)
  } to ${count(Math.min(all, at * ROWS))} of ${count(all)}</span>${link(at - 1, "Previous")}${
    link(at + 1, "Next")
  }<a class="push" href="${listPath(query, { all: "1", page: "" })}">All on one page</a></nav>`;
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
  return markup`<form method="post" action="/qubes">${
    token(view.session)
  }<input type="hidden" name="query" value="${view.query.toString()}">${
    table(
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
          one.template ?? (one.class !== "AdminVM" && markup`<span class="soft">own</span>`),
          one.netvm === null ? markup`<span class="soft">none</span>` : qube(view, one.netvm),
          one.label,
          one.memory !== null && `${count(one.memory)} MB`,
          button(one),
        ],
      })),
      "long",
    )
  }</form>`;
}

function button({ name, state, class: of }: Qube): Content {
  if (of === "AdminVM") return null;
  const operation = state === "Halted"
    ? "vm.start"
    : state === "Paused"
    ? "vm.unpause"
    : "vm.shutdown";
  return markup`<button class="lean" name="press" value="${operation} ${name}">${
    POWER_OPERATIONS.get(operation)?.button
  }<span class="vh"> ${name}</span></button>`;
}
