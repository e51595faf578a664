// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Backup: of qubes, by Qubes' own tools, as runs that are followed and can be cancelled; and of this
 * project's configuration, as archives in dom0. The passphrase is a file in dom0: it passes through no
 * page.
 *
 * @module
 */

import { type Admin, askerOf, isElevated, type View, viewOf } from "../../admin_context.ts";
import { type AuditRecord, Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { rowsOf } from "../../qube_list.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import { beginRun } from "../execute/begin_run.ts";
import { diskTable } from "../host_tables.ts";
import { page } from "../layout.ts";
import { count, empty, panel, state, table, time, unreadable } from "../parts.ts";
import { type Archives, archivesPanel, lookPanel } from "./archive_panels.ts";
import { backupForm, NAMES_TAKEN, NOT_THERE, restoreForm } from "./backup_forms.ts";

const OPERATIONS: ReadonlyMap<string, string> = new Map([
  ["start", "backup.start"],
  ["verify", "backup.verify"],
  ["restore", "backup.restore"],
]);
const WHERE = ["passphrase_file", "dest_vm", "location"];
const CHOSEN = ["vms", "exclude"];
const RECENT = 10;

export function backupRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/backup",
    access: "session",
    async answer(asked) {
      const [view, records, disks, archives] = await Promise.all([
        viewOf(admin, asked),
        lastBackups(admin),
        orProblem(admin.channel.run("host.disk", {}, askerOf(asked.session)).then(rowsOf)),
        archivesOf(admin, asked),
      ]);
      return backupPage(view, records, disks, archives);
    },
  }, {
    method: "POST",
    path: "/backup",
    access: "session",
    answer: (asked) => begin(admin, asked),
  }, {
    method: "POST",
    path: "/backup/archive",
    access: "session",
    answer: (asked) => archive(admin, asked),
  }, {
    method: "POST",
    path: "/backup/remove-archive",
    access: "session",
    answer: (asked) => removeArchive(admin, asked),
  }, {
    method: "POST",
    path: "/backup/take-in",
    access: "session",
    answer: (asked) => takeIn(admin, asked),
  }];
}

async function begin(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const { form } = asked;
  const what = form.get("what") ?? "";
  const operation = OPERATIONS.get(what);
  if (operation === undefined) throw new HttpError(400, "what is start, verify or restore");
  const field = (name: string): string => (form.get(name) ?? "").trim();
  const values: Record<string, string> = {};
  for (const name of WHERE) if (field(name) !== "") values[name] = field(name);
  for (const name of what === "verify" ? [] : CHOSEN) {
    if (field(name) !== "") values[name] = field(name).split(/[\s,]+/).join(",");
  }
  for (const flag of what === "restore" ? [field("taken"), field("missing")] : []) {
    if (flag !== "" && (NAMES_TAKEN.has(flag) || NOT_THERE.has(flag))) values[flag] = "true";
  }
  const place = what === "start" ? "" : "&part=restore#restore";
  const back = `/backup?${new URLSearchParams(values)}${place}`;
  return await beginRun(admin, asked, { operation, values, back });
}

async function archive({ channel }: Admin, { form, session }: AskedBySession): Promise<Answer> {
  const withKeys = form.get("keys") === "yes";
  const made = await orProblem(channel.makeArchive(withKeys, askerOf(session)));
  session.notices.push(
    made instanceof Dom0Error
      ? { kind: "bad", text: `No archive was made: ${made.message}.` }
      : { kind: "ok", text: `${made.name} is made, ${withKeys ? "with" : "without"} the keys.` },
  );
  return seeOther("/backup#archives");
}

async function takeIn(
  { channel, dateMs }: Admin,
  { form, session }: AskedBySession,
): Promise<Answer> {
  const [name = "", mark = ""] = [form.get("name"), form.get("mark")];
  const withKeys = form.get("keys") === "yes";
  if (!isElevated(session, dateMs())) {
    const text = "Not taken in: rules and keys decide who may do anything. Begin elevated mode " +
      "first, on the page Sessions.";
    session.notices.push({ kind: "bad", text });
    return seeOther(`/backup?archive=${encodeURIComponent(name)}#archive`);
  }
  const taken = await orProblem(channel.takeInArchive(name, withKeys, mark, askerOf(session)));
  session.notices.push(
    taken instanceof Dom0Error ? { kind: "bad", text: `Not taken in: ${taken.message}.` } : {
      kind: "ok",
      text: `${name} is taken in. What was there before is in ${taken.before}.`,
    },
  );
  return seeOther("/backup#archives");
}

/** It cannot be undone, so its name is typed. */
async function removeArchive(
  { channel }: Admin,
  { form, session }: AskedBySession,
): Promise<Answer> {
  const name = form.get("name") ?? "";
  if (form.get("word") !== name) {
    session.notices.push({ kind: "bad", text: `Not removed: type ${name} to remove it.` });
    return seeOther(`/backup?archive=${encodeURIComponent(name)}#archive`);
  }
  const done = await orProblem(channel.removeArchive(name, askerOf(session)));
  session.notices.push(
    done instanceof Dom0Error
      ? { kind: "bad", text: `Not removed: ${done.message}.` }
      : { kind: "ok", text: `${name} is removed.` },
  );
  return seeOther("/backup#archives");
}

async function archivesOf({ channel }: Admin, { query }: AskedBySession): Promise<Archives> {
  const name = query.get("archive");
  const withKeys = query.get("keys") === "yes";
  const [all, look] = await Promise.all([
    orProblem(channel.archives()),
    name === null ? null : orProblem(channel.lookAtArchive(name, withKeys)),
  ]);
  return { all, chosen: name === null || look === null ? null : { name, withKeys, look } };
}

type Disk = Readonly<Record<string, string | null>>;

async function lastBackups({ channel }: Admin): Promise<readonly AuditRecord[]> {
  const query = { vm: null, failedOnly: false, text: "backup.", sinceMs: 0, before: null };
  const { records } = await channel.records({ ...query, limit: 4 * RECENT });
  return records.filter(({ event, fields }) =>
    String(fields["operation"]).startsWith("backup.") &&
    (event === "done" || fields["action"] === "ran")
  ).slice(0, RECENT);
}

function backupPage(
  view: View,
  records: readonly AuditRecord[],
  disks: readonly Disk[] | Dom0Error,
  archives: Archives,
): Answer {
  return page(view, {
    title: "Backup",
    facts: "Of qubes, encrypted; and of who may do what",
    main:
      markup`<nav class="tabs" aria-label="Parts"><a href="#backup">Back up</a><a href="#restore">Check or restore</a><a href="#archives">Configuration</a><a href="#last">The last ones</a></nav>
<div class="cols"><div class="c7 stack">${backupForm(view)}${restoreForm(view)}${
        archives.chosen !== null && lookPanel(view, archives.chosen)
      }</div><div class="c5 stack">${marked(view)}${space(disks)}${
        archivesPanel(view, archives.all)
      }${last(view, records)}</div></div>`,
  });
}

function last(view: View, records: readonly AuditRecord[]): Html {
  return panel(
    { title: "The last ones", id: "last", isLive: true },
    records.length === 0
      ? empty(
        "There are no backups on record.",
        markup`<span class="soft">A backup that was begun here, or by a VM, stands here with its end.</span>`,
      )
      : table(
        [{ name: "Ended" }, { name: "What" }, { name: "By" }, { name: "End" }],
        records.map(({ seq, time: at, fields }) => ({
          key: String(seq),
          cells: [
            markup`<a href="/logs?at=${seq}#r${seq}">${time(Date.parse(at), view.nowMs)}</a>`,
            markup`<code>${String(fields["operation"])}</code>`,
            markup`<bdi>${String(fields["by"] ?? fields["vm"] ?? "")}</bdi>`,
            fields["exit"] === 0
              ? state("ok", "Done")
              : state("bad", `Failed, exit ${String(fields["exit"])}`),
          ],
        })),
      ),
  );
}

function marked({ qubes }: View): Html {
  return panel(
    { title: "Which qubes" },
    markup`<div class="body stack"><p>If none are named, a qube is in a backup if its property <code>include_in_backups</code> is true. Of ${
      count(qubes.qubes.length)
    } qubes, each says so on its page.</p><p><a href="/qubes">Qubes</a></p></div>`,
  );
}

function space(disks: readonly Disk[] | Dom0Error): Html {
  const parts = { title: "Free in dom0" };
  return panel(parts, disks instanceof Dom0Error ? unreadable(disks.message) : diskTable(disks));
}
