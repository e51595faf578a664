// SPDX-License-Identifier: GPL-2.0-or-later
/** Global: properties of the system, updates, templates, Xen, this device. @module */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import { Dom0Error, orProblem, type RunResult } from "../channel/dom0_channel.ts";
import { type Html, lines, markup } from "../markup/markup.ts";
import { type Answer, type AskedBySession, HttpError } from "../server/http_message.ts";
import { rowsOf } from "../qube_list.ts";
import type { Route } from "../server/router.ts";
import { editRow, stageEdit } from "./edit_row.ts";
import { beginRun } from "./execute/begin_run.ts";
import { headOf, isNumber } from "./execute/result_table.ts";
import { diskTable, memoryTable } from "./host_tables.ts";
import { page } from "./layout.ts";
import { empty, panel, table, token, unreadable } from "./parts.ts";

type Read = RunResult | Dom0Error;

/** What is read for the page, and under which heading it stands. */
const DEVICE: readonly (readonly [operation: string, title: string])[] = [
  ["host.name", "Name"],
  ["host.version", "Release"],
  ["host.kernel", "Kernel"],
  ["host.uptime", "Uptime"],
];
const READS = [
  "system.prefs.list",
  "template.list",
  "xen.list",
  "xen.info",
  "host.memory",
  "host.disk",
  ...DEVICE.map(([operation]) => operation),
];

/** What the buttons begin; each is a run that is followed. */
const BEGINS: ReadonlySet<string> = new Set(["update.check", "template.install"]);

export function globalRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/global",
    access: "session",
    async answer(asked) {
      const by = askerOf(asked.session);
      const [view, ...results] = await Promise.all([
        viewOf(admin, asked),
        ...READS.map((operation) => orProblem(admin.channel.run(operation, {}, by))),
      ]);
      return globalPage(view, new Map(READS.map((name, index) => [name, results[index] as Read])));
    },
  }, {
    method: "POST",
    path: "/global/stage",
    access: "session",
    answer: (asked) => stageEdit(null, asked),
  }, {
    method: "POST",
    path: "/global/begin",
    access: "session",
    answer: (asked) => begin(admin, asked),
  }];
}

async function begin(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const operation = asked.form.get("operation") ?? "";
  if (!BEGINS.has(operation)) throw new HttpError(400, "there is no such button");
  const template = (asked.form.get("template") ?? "").trim();
  const values: Record<string, string> = template === "" ? {} : { template };
  return await beginRun(admin, asked, { operation, values, back: "/global" });
}

function globalPage(view: View, read: ReadonlyMap<string, Read>): Answer {
  const of = (operation: string): Read => read.get(operation) ?? new Dom0Error("Not asked.");
  return page(view, {
    title: "Global",
    facts: "The system as a whole",
    main: markup`<div class="cols"><div class="c7 stack">${prefs(view, of("system.prefs.list"))}${
      memory(of("host.memory"))
    }${disks(of("host.disk"))}</div><div class="c5 stack">${device(of)}${updates(view)}${
      templates(view, of("template.list"))
    }${plain("Domains of Xen", "xen.list", of("xen.list"))}${
      plain("Xen", "xen.info", of("xen.info"))
    }</div></div>`,
  });
}

/** What was read, shown by its shape, or why there is nothing. */
function content(result: Read, show: (done: RunResult) => Html): Html {
  if (result instanceof Dom0Error) return unreadable(result.message);
  if (result.exitCode !== 0) {
    return unreadable(result.stderr.trim() || `exit ${result.exitCode}`);
  }
  return show(result);
}

function memory(result: Read): Html {
  return panel(
    { title: "Memory of dom0" },
    content(result, ({ stdout }) => memoryTable(stdout)),
  );
}

function disks(result: Read): Html {
  return panel({ title: "Disks of dom0" }, content(result, (done) => diskTable(rowsOf(done))));
}

function plain(title: string, operation: string, result: Read): Html {
  return panel(
    { title, aside: markup`<code>${operation}</code>` },
    content(result, ({ value, stdout }) => {
      if (Array.isArray(value)) return rows(value);
      if (typeof value === "object" && value !== null) return pairs(value);
      return markup`<div class="body"><pre tabindex="0" aria-label="${title}">${
        lines(stdout.trimEnd())
      }</pre></div>`;
    }),
  );
}

function device(of: (operation: string) => Read): Html {
  const shown = (result: Read): string =>
    result instanceof Dom0Error
      ? result.message
      : result.exitCode === 0
      ? result.stdout.trim()
      : result.stderr.trim();
  return panel(
    { title: "This device" },
    markup`<div class="body"><dl class="facts">${
      DEVICE.map(([operation, title]) => markup`<dt>${title}</dt><dd>${shown(of(operation))}</dd>`)
    }</dl></div>`,
  );
}

function updates({ session }: View): Html {
  return panel(
    { title: "Updates of dom0" },
    markup`<div class="body stack"><div class="row"><form method="post" action="/global/begin">${
      token(session)
    }<input type="hidden" name="operation" value="update.check"><button>Look for updates</button></form><a class="btn" href="/execute?operation=update.install">Install them…</a></div><p class="small soft">Installing is of level full: it needs <a href="/sessions#elevated">elevated mode</a>.</p></div>`,
  );
}

function templates({ session }: View, result: Read): Html {
  return panel(
    { title: "Templates", aside: markup`<code>template.list</code>` },
    markup`${
      content(result, ({ value }) => rows(Array.isArray(value) ? value : []))
    }<form class="body row" method="post" action="/global/begin">${
      token(session)
    }<input type="hidden" name="operation" value="template.install"><label class="vh" for="template">Template to install</label><input id="template" name="template" size="22" required placeholder="fedora-42-minimal" autocomplete="off" spellcheck="false"><button class="lean">Install</button></form>`,
  );
}

function prefs(view: View, result: Read): Html {
  return panel(
    { title: "Prefs", id: "prefs", isLive: true, aside: "edits are staged, then applied together" },
    content(result, ({ value }) =>
      table(
        [{ name: "Property" }, { name: "Value" }, { name: "Note" }, {
          name: "Action",
          look: "num",
          isSilent: true,
        }],
        Object.entries(typeof value === "object" && value !== null ? value : {}).map((
          [name, property],
        ) => prefRow(view, name, property as Property)),
        "edits",
      )),
  );
}

/** A word of so many letters is not cut for a longer one beside it. */
const SHORT_CHARS = 16;

interface Property {
  readonly value?: string | null;
  readonly isDefault?: boolean;
}

function prefRow(view: View, name: string, { value, isDefault = false }: Property) {
  return {
    key: name,
    ...editRow(view, null, {
      name,
      setting: name,
      now: value ?? "",
      note: isDefault ? "default" : "",
      set: "system.prefs.set",
      reset: "system.prefs.reset",
      resetWord: "Default",
    }),
  };
}

function pairs(value: object): Html {
  return markup`<div class="body"><dl class="facts">${
    Object.entries(value).map(([name, one]) =>
      markup`<dt>${headOf(name)}</dt><dd>${String(one)}</dd>`
    )
  }</dl></div>`;
}

function rows(value: readonly unknown[]): Html {
  const all = value.filter((row): row is Readonly<Record<string, unknown>> =>
    typeof row === "object" && row !== null
  );
  const names = Object.keys(all[0] ?? {});
  if (all.length === 0) return empty("None.");
  const isShort = (name: string): boolean =>
    all.every((row) => String(row[name] ?? "").length <= SHORT_CHARS);
  return table(
    names.map((name) => ({
      name: headOf(name),
      look: isNumber(all, name) ? "num" : isShort(name) ? "row-word" : "",
    })),
    all.map((row) => ({
      cells: names.map((name) =>
        row[name] === null || row[name] === undefined ? "" : String(row[name])
      ),
    })),
  );
}
