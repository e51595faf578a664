// SPDX-License-Identifier: GPL-2.0-or-later
/** Logs: the record with filters, its chain, and what a named service of dom0 wrote. @module */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import type { AuditRecord, RecordPage, RecordQuery, RunResult } from "../channel/dom0_channel.ts";
import { type Html, lines, markup, when } from "../markup/markup.ts";
import { type AskedBySession, seeOther } from "../server/http_message.ts";
import { lineFilter } from "../../record/line_filter.ts";
import { KINDS } from "../../operations/parameter.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { count, empty, many, postButton, says, span, state, table, time } from "./parts.ts";
import { longText } from "./long_text.ts";
import { recordWhy } from "./record_why.ts";
import { endOf, recordQube, recordWhat } from "./record_words.ts";

/** A part that is laid out within a frame; more are loaded as the reader comes to its end. */
const PAGE_RECORDS = 50;
const JOURNAL_LINES = [200, 1000] as const;
const SINCE: ReadonlyMap<string, readonly [name: string, ms: number]> = new Map([
  ["15m", ["15 minutes", 15 * 60e3]],
  ["1h", ["hour", 3600e3]],
  ["24h", ["day", 24 * 3600e3]],
  ["7d", ["week", 7 * 24 * 3600e3]],
]);
/** As dom0/record/line_filter.ts reads it. */
const FILTER_HINT = "all words; a|b: either; -c: without";
/** What its VM chose, or another program said: never shown as dom0's own words. */
const VMS_WORDS: ReadonlySet<string> = new Set(["command", "why", "reason_text"]);

export function logRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/logs",
    access: "session",
    async answer(asked) {
      const query = queryOf(asked.query, admin.dateMs());
      const [view, records] = await Promise.all([
        viewOf(admin, asked),
        admin.channel.records(query),
      ]);
      return page(view, {
        title: "Logs",
        module: "logs",
        facts: "What was asked of dom0, and what became of it",
        actions: markup`<span class="small soft" id="live-state" data-own>${
          state("off", "Not live")
        }</span>${FOLLOW}`,
        main: markup`${tabs("/logs")}${chain(view)}${filters(view)}${recordList(view, records)}`,
      });
    },
  }, {
    method: "POST",
    path: "/logs/verify",
    access: "session",
    async answer({ session }) {
      const { isWhole, text } = await admin.channel.verifyChain();
      session.notices.push({ kind: isWhole ? "ok" : "bad", text });
      return seeOther("/logs#chain");
    },
  }, {
    method: "GET",
    path: "/logs/journal",
    access: "session",
    answer: async (asked) => await journalPage(admin, asked),
  }];
}

/** A script shows it: without one there is nothing to follow by. */
const FOLLOW =
  markup`<button type="button" class="lean" id="follow" data-own hidden aria-pressed="true"><span>Following</span> <kbd>f</kbd></button>`;

export function tabs(here: string): Html {
  const all = [["/logs", "Record"], ["/logs/journal", "Journal"]] as const;
  return markup`<nav class="tabs" aria-label="Parts of Logs">${
    all.map(([path, name]) =>
      markup`<a href="${path}"${when(path === here, markup` aria-current="page"`)}>${name}</a>`
    )
  }</nav>`;
}

function queryOf(query: URLSearchParams, nowMs: number): RecordQuery {
  const [, sinceMs] = SINCE.get(query.get("since") ?? "") ?? [];
  const before = Number(query.get("before"));
  const at = Number(query.get("at"));
  return {
    vm: query.get("vm") || null,
    failedOnly: query.get("failed") === "1",
    text: query.get("text") ?? "",
    sinceMs: sinceMs === undefined ? 0 : nowMs - sinceMs,
    before: Number.isSafeInteger(before) && before > 0
      ? before
      : Number.isSafeInteger(at) && at > 0
      ? at + 20
      : null,
    limit: PAGE_RECORDS,
  };
}

function filters({ query, now }: View): Html {
  const chosen = (name: string, value: string): Html =>
    when((query.get(name) ?? "") === value, markup` selected`);
  return markup`<form class="filters" method="get" action="/logs" role="search" aria-label="Filter the record">
<div class="field grow"><label for="text">Text</label><input id="text" name="text" type="search" value="${
    query.get("text") ?? ""
  }" autocomplete="off" placeholder="${FILTER_HINT}" data-filter></div>
<div class="field"><label for="vm">VM</label><select id="vm" name="vm"><option value="">Any</option>${
    (now.daemon?.vms ?? []).map(({ vm }) => markup`<option${chosen("vm", vm)}>${vm}</option>`)
  }</select></div>
${sinceField(query)}
<label class="check"><input type="checkbox" name="failed" value="1"${
    when(query.get("failed") === "1", markup` checked`)
  }> Failed or refused only</label>
<button>Filter</button>
</form>`;
}

function sinceField(query: URLSearchParams): Html {
  return markup`<div class="field"><label for="since">Of the last</label><select id="since" name="since"><option value="">All</option>${
    [...SINCE].map(([value, [name]]) =>
      markup`<option value="${value}"${
        when(query.get("since") === value, markup` selected`)
      }>${name}</option>`
    )
  }</select></div>`;
}

function recordList(view: View, { records, hasMore }: RecordPage): Html {
  const last = records.at(-1);
  const more = new URLSearchParams(view.query);
  if (last !== undefined) more.set("before", String(last.seq));
  more.delete("at");
  // Older pages stay as they are: what is new is not on them.
  const isNewest = view.query.get("before") === null && view.query.get("at") === null;
  return markup`<section class="panel" id="records"${
    when(isNewest, markup` data-live`)
  } aria-label="Records">${
    records.length === 0
      ? empty(
        view.query.size === 0 ? "The record is empty." : "No record matches.",
        view.query.size > 0 && markup`<a href="/logs">Clear filters</a>`,
      )
      : table(
        [{ name: "Time" }, { name: "VM" }, { name: "What" }, { name: "End" }, {
          name: "No",
          look: "num",
        }],
        records.map((record) => ({
          key: String(record.seq),
          look: markup` id="r${record.seq}"`,
          cells: [
            time(Date.parse(record.time), view.nowMs),
            recordQube(view, record),
            what(view, record),
            endOf(record),
            markup`<span class="soft">${count(record.seq)}</span>`,
          ],
        })),
        "long records",
      )
  }</section><div class="row older" id="older">${
    hasMore && markup`<a class="btn" href="/logs?${more.toString()}">Older</a>`
  }${!isNewest && markup`<a href="/logs?${newestOf(view.query)}">Newest</a>`}</div>`;
}

function newestOf(query: URLSearchParams): string {
  const newest = new URLSearchParams(query);
  for (const name of ["before", "at"]) newest.delete(name);
  return newest.toString();
}

/** Whole, behind its first words: fields that are a VM's stand in its frame. */
function what(view: View, record: AuditRecord): Html {
  const { fields } = record;
  const { vm, id } = fields;
  const own = Object.entries(fields).filter(([name]) => !VMS_WORDS.has(name) && name !== "vm");
  const said = Object.entries(fields).filter(([name]) => VMS_WORDS.has(name));
  return markup`<details id="d${record.seq}"${
    when(view.query.get("at") === String(record.seq), markup` open`)
  }><summary><code>${recordWhat(record)}</code></summary><div class="stack small">${
    recordWhy(record)
  }<dl class="facts">${
    own.map(([name, value]) =>
      markup`<dt>${name}</dt><dd><code>${
        typeof value === "string" ? value : JSON.stringify(value)
      }</code></dd>`
    )
  }</dl>${
    typeof id === "string" && record.event !== "operator" &&
    markup`<p><a href="/logs?text=${encodeURIComponent(id)}">All records of this request</a></p>`
  }${
    typeof vm === "string" &&
    said.map(([name, value]) => says(view, vm, name, markup`<pre>${lines(String(value))}</pre>`))
  }</div></details>`;
}

function chain({ chain, session, nowMs }: View): Html {
  const look = chain === null ? "wait" : chain.isWhole ? "ok" : "bad";
  return markup`<div class="notice ${look} chain" id="chain" data-live><div>${
    chain === null
      ? markup`<strong>The chain was not looked at yet.</strong> <span class="soft">Each record holds the hash of the one before.</span>`
      : markup`<strong>${chain.isWhole ? "Chain intact" : "Chain broken"}: ${
        many(chain.records, "record")
      }.</strong> ${chain.text}. <span class="soft">Looked at ${
        span(nowMs - chain.seenMs)
      } ago.</span>`
  }</div>${postButton(session, "/logs/verify", {}, "Verify now", "lean")}</div>`;
}

async function journalPage(admin: Admin, asked: AskedBySession) {
  const { query } = asked;
  const units = KINDS.unit.schema["enum"] as readonly string[];
  const unit = units.find((one) => one === query.get("unit")) ?? "qvm-remote-dom0";
  const lines = JOURNAL_LINES.find((one) => String(one) === query.get("lines")) ?? JOURNAL_LINES[0];
  const text = query.get("text") ?? "";
  const [, sinceMs] = SINCE.get(query.get("since") ?? "") ?? [];
  const since = sinceMs === undefined
    ? {}
    : { since: `@${Math.floor((admin.dateMs() - sinceMs) / 1000)}` };
  const values = { unit, lines: String(lines), ...since };
  const [view, result] = await Promise.all([
    viewOf(admin, asked),
    admin.channel.run("journal.read", values, askerOf(asked.session)),
  ]);
  return page(view, {
    title: "Journal",
    heading: "Logs",
    module: "logs",
    facts: "What a service of dom0 wrote",
    actions: FOLLOW,
    main: markup`${tabs("/logs/journal")}<form class="filters" method="get" action="/logs/journal">
<div class="field grow"><label for="text">Text</label><input id="text" name="text" type="search" value="${text}" autocomplete="off" placeholder="${FILTER_HINT}" data-filter></div>
<div class="field"><label for="unit">Service</label><select id="unit" name="unit">${
      units.map((one) => markup`<option${when(one === unit, markup` selected`)}>${one}</option>`)
    }</select></div>${
      sinceField(query)
    }<div class="field"><label for="lines">At most</label><select id="lines" name="lines">${
      JOURNAL_LINES.map((one) =>
        markup`<option value="${one}"${when(one === lines, markup` selected`)}>${
          many(one, "line")
        }</option>`
      )
    }</select></div><button>Show</button></form>
<section class="panel" aria-label="Journal of ${unit}"><header><h2><code>${unit}</code></h2></header><div class="body" id="journal" data-live>${
      journal(result, text)
    }</div></section>`,
  });
}

function journal({ exitCode, stdout, stderr }: RunResult, text: string): Html {
  if (exitCode !== 0) {
    return markup`<p class="bad">The journal cannot be read: ${
      stderr.trim() || `exit ${exitCode}`
    }</p>`;
  }
  const all = stdout.split("\n").filter((line) => line !== "");
  const found = all.filter(lineFilter(text));
  if (all.length === 0) return empty("It wrote nothing yet.");
  if (found.length === 0) return empty(`No line of ${count(all.length)} has this text.`);
  return markup`<pre tabindex="0" aria-label="Journal">${longText(`${found.join("\n")}\n`)}</pre>`;
}
