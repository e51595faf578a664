// SPDX-License-Identifier: GPL-2.0-or-later
/** The parts that pages are made of, with the words and classes of the one stylesheet. @module */

import type { View } from "../admin_context.ts";
import type { DiffLine } from "../channel/dom0_channel.ts";
import { type Content, type Html, markup, NOTHING, when } from "../markup/markup.ts";
import { FORM_TOKEN, type Session } from "../server/sessions.ts";

/** Qubes' labels, and the letters that stand for each beside its colour. */
const LABELS: ReadonlyMap<string, string> = new Map([
  ["red", "Rd"],
  ["orange", "Or"],
  ["yellow", "Ye"],
  ["green", "Gn"],
  ["gray", "Gy"],
  ["blue", "Bl"],
  ["purple", "Pu"],
  ["black", "Bk"],
] as [string, string][]);

export function labelName(view: Pick<View, "qubes">, qube: string | null): string {
  const label = qube === null || qube === "dom0"
    ? "black"
    : view.qubes.byName.get(qube)?.label ?? "";
  return LABELS.has(label) ? label : "gray";
}

function labelBox(label: string): Html {
  return markup`<span class="lab" role="img" aria-label="${label} label" title="${label}">${
    LABELS.get(label)
  }</span>`;
}

/** A qube by name, with its label; null is dom0. */
export function qube(view: Pick<View, "qubes">, name: string | null): Html {
  const label = labelName(view, name);
  return markup`<span class="q ${label}" title="${name ?? "dom0"}">${labelBox(label)}<bdi>${
    name ?? "dom0"
  }</bdi></span>`;
}

export function qubeLink(view: Pick<View, "qubes">, name: string): Html {
  const label = labelName(view, name);
  return markup`<a class="q ${label}" title="${name}" href="/qubes/${encodeURIComponent(name)}">${
    labelBox(label)
  }<bdi>${name}</bdi></a>`;
}

export function qubeList(view: Pick<View, "qubes">, names: readonly (string | null)[]): Html {
  return markup`${names.map((name, index) => [index > 0 && ", ", qube(view, name)])}`;
}

/** What a qube said stands in that qube's frame. */
export function says(
  view: Pick<View, "qubes">,
  vm: string,
  what: string,
  content: Html,
): Html {
  return markup`<div class="says ${
    labelName(view, vm)
  }"><p><b>[<bdi>${vm}</bdi>]</b> <span>${what}</span></p>${content}</div>`;
}

export type StateShape = "run" | "off" | "pause" | "busy" | "ok" | "wait" | "bad" | "undone";

export function state(shape: StateShape, words: Content): Html {
  return markup`<span class="st ${shape}">${words}</span>`;
}

const POWER: ReadonlyMap<string, StateShape> = new Map<string, StateShape>([
  ["Running", "run"],
  ["Halted", "off"],
  ["Paused", "pause"],
  ["Suspended", "pause"],
  ["Transient", "busy"],
  ["Halting", "busy"],
  ["Dying", "busy"],
  ["Crashed", "bad"],
]);

export function power(word: string): Html {
  return state(POWER.get(word) ?? "off", word);
}

export function level(name: string): Html {
  return markup`<span class="level ${name}">${name}</span>`;
}

/** In the time zone of dom0; the exact one on hover. */
export function time(ms: number, nowMs: number): Html {
  const date = new Date(ms);
  const isToday = date.toDateString() === new Date(nowMs).toDateString();
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  const shown = isToday ? `${clock}:${two(date.getSeconds())}` : `${shortDate(date)} ${clock}`;
  return markup`<time datetime="${date.toISOString()}" title="${exact(date)}">${shown}</time>`;
}

export function shortDate(date: Date): string {
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function exact(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${
    two(Math.abs(offset) % 60)
  }`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.` +
    `${String(date.getMilliseconds()).padStart(3, "0")} ${zone}`;
}

/** 42 s, 4 min, 3 h, 2 d. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** As span(), and a script counts it down; not read out each second. */
export function left(untilMs: number, nowMs: number): Html {
  return markup`<span class="left" aria-live="off" data-until="${untilMs}">${
    span(untilMs - nowMs)
  }</span>`;
}

export function count(value: number): string {
  return value.toLocaleString("en-GB");
}

/** 1 request, 2 requests. */
export function many(value: number, one: string, more = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : more}`;
}

export function diff(lines: readonly DiffLine[], about: string): Html {
  return markup`<pre class="diff" aria-label="${about}">${
    lines.map(({ kind, text }) =>
      kind === "added"
        ? markup`<ins>${text}</ins>`
        : kind === "removed"
        ? markup`<del>${text}</del>`
        : markup`<span>${text}</span>`
    )
  }</pre>`;
}

export interface PanelParts {
  readonly title: Content;
  readonly aside?: Content;
  readonly id?: string;
  /** Pages that are open bring this part up to date by its id. */
  readonly isLive?: boolean;
}

export function panel({ title, aside, id, isLive = false }: PanelParts, content: Content): Html {
  return markup`<section class="panel"${id !== undefined && markup` id="${id}"`}${
    when(isLive, markup` data-live`)
  }><header><h2>${title}</h2>${
    aside !== undefined && markup`<span class="small soft">${aside}</span>`
  }</header>${content}</section>`;
}

export function empty(...lines: readonly Content[]): Html {
  return markup`<div class="empty">${lines.map((line) => markup`<p>${line}</p>`)}</div>`;
}

/** In the place of what dom0 could not read. */
export function unreadable(why: string): Html {
  return empty(markup`<span class="bad">Cannot be read.</span> ${why}`);
}

export function notice(kind: "ok" | "wait" | "bad", content: Content): Html {
  return markup`<div class="notice ${kind}" role="${
    kind === "bad" ? "alert" : "status"
  }"><div>${content}</div></div>`;
}

/** What each form of a session carries. */
export function token({ formToken }: Session): Html {
  return markup`<input type="hidden" name="${FORM_TOKEN}" value="${formToken}">`;
}

/** A form that is one button. */
export function postButton(
  session: Session,
  action: string,
  fields: Readonly<Record<string, string>>,
  label: Content,
  look = "lean",
): Html {
  return markup`<form method="post" action="${action}">${token(session)}${
    Object.entries(fields).map(([name, value]) =>
      markup`<input type="hidden" name="${name}" value="${value}">`
    )
  }<button class="${look}">${label}</button></form>`;
}

/** A table with a heading for each column; cells say their column where rows are cards. */
export interface Column {
  readonly name: string;
  readonly look?: string;
  /** The heading is for screen readers only. */
  readonly isSilent?: boolean;
}

export function table(
  columns: readonly Column[],
  rows: readonly {
    readonly cells: readonly Content[];
    readonly look?: Html;
    readonly key?: string;
  }[],
  look = "",
): Html {
  return markup`<table class="${look}"><thead><tr>${
    columns.map(({ name, look = "", isSilent }) =>
      markup`<th scope="col" class="${look}">${
        isSilent === true ? markup`<span class="vh">${name}</span>` : name
      }</th>`
    )
  }</tr></thead><tbody>${
    rows.map(({ cells, look = NOTHING, key }) =>
      markup`<tr${look}${key !== undefined && markup` data-key="${key}"`}>${
        cells.map((cell, index) => tableCell(columns[index] ?? { name: "" }, cell, index === 0))
      }</tr>`
    )
  }</tbody></table>`;
}

function tableCell({ name, look = "", isSilent }: Column, cell: Content, isFirst: boolean): Html {
  if (isFirst) return markup`<th scope="row" class="${look}">${cell}</th>`;
  return isSilent === true
    ? markup`<td class="${look}">${cell}</td>`
    : markup`<td class="${look}" data-th="${name}">${cell}</td>`;
}
