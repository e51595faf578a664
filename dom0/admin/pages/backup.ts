// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Backup: begins one, or reads one that is there and says what it holds, as a run that is followed and
 * can be cancelled. The passphrase is a file in dom0: it passes through no page.
 *
 * @module
 */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import { type AuditRecord, Dom0Error, orProblem } from "../channel/dom0_channel.ts";
import { type Html, markup, when } from "../markup/markup.ts";
import { type Answer, type AskedBySession, HttpError } from "../server/http_message.ts";
import { rowsOf } from "../qube_list.ts";
import type { Route } from "../server/router.ts";
import { beginRun } from "./execute/begin_run.ts";
import { page } from "./layout.ts";
import { count, empty, panel, state, table, time, token, unreadable } from "./parts.ts";

const OPERATIONS: ReadonlyMap<string, string> = new Map([
  ["start", "backup.start"],
  ["verify", "backup.verify"],
]);
const FIELDS = ["location", "dest_vm", "passphrase_file"] as const;
const RECENT = 10;
const MIB = 1024;

export function backupRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/backup",
    access: "session",
    async answer(asked) {
      const [view, records, disks] = await Promise.all([
        viewOf(admin, asked),
        lastBackups(admin),
        orProblem(admin.channel.run("host.disk", {}, askerOf(asked.session)).then(rowsOf)),
      ]);
      return backupPage(view, records, disks);
    },
  }, {
    method: "POST",
    path: "/backup",
    access: "session",
    answer: (asked) => begin(admin, asked),
  }];
}

async function begin(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const { form } = asked;
  const operation = OPERATIONS.get(form.get("what") ?? "");
  if (operation === undefined) throw new HttpError(400, "what is start or verify");
  const values = Object.fromEntries(
    FIELDS.map((name) => [name, (form.get(name) ?? "").trim()]).filter(([, value]) => value !== ""),
  );
  const back = `/backup?${new URLSearchParams(values)}`;
  return await beginRun(admin, asked, { operation, values, back });
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
): Answer {
  return page(view, {
    title: "Backup",
    facts: "All qubes that are marked for it, dom0’s home among them, encrypted",
    main: markup`<div class="cols"><div class="c7 stack">${form(view)}${
      last(view, records)
    }</div><div class="c5 stack">${marked(view)}${space(disks)}</div></div>`,
  });
}

function form({ session, query, qubes }: View): Html {
  const value = (name: typeof FIELDS[number]): string => query.get(name) ?? "";
  const running = qubes.qubes.filter(({ state: of, class: kind }) =>
    of === "Running" && kind !== "AdminVM"
  ).map(({ name }) => name).sort();
  return panel(
    { title: "Where to, and with which passphrase", id: "backup" },
    markup`<form class="body stack" method="post" action="/backup">${token(session)}
<div class="field"><label for="dest_vm">Into</label><select id="dest_vm" name="dest_vm"><option value="">dom0</option>${
      running.map((name) =>
        markup`<option${when(value("dest_vm") === name, markup` selected`)}>${name}</option>`
      )
    }</select><small>A qube that runs, such as the one that has the disk.</small></div>
<div class="field"><label for="location">Folder to write to; to read, the backup itself</label><input id="location" name="location" required size="34" value="${
      value("location")
    }" placeholder="/mnt/backup" autocomplete="off" spellcheck="false"></div>
<div class="field"><label for="passphrase_file">File in dom0 with the passphrase</label><input id="passphrase_file" name="passphrase_file" required size="34" value="${
      value("passphrase_file")
    }" placeholder="/root/backup-passphrase" autocomplete="off" spellcheck="false"><small>One line, readable by root alone. In dom0’s terminal: <code>sudo sh -c 'umask 077; cat &gt; /root/backup-passphrase'</code>, type it, Enter, Ctrl-D.</small></div>
<div class="row"><button class="main" name="what" value="start">Back up</button><button name="what" value="verify">Check a backup</button></div>
<p class="small soft">A check reads a whole backup and says what it holds; nothing is restored. Both take long. They go on when this page is closed; <a href="/execute">Execute</a> and the log have how they end.</p></form>`,
  );
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
    markup`<div class="body stack"><p>A qube is in it if its property <code>include_in_backups</code> is true. Of ${
      count(qubes.qubes.length)
    } qubes, each says so on its page.</p><p><a href="/qubes">Qubes</a></p></div>`,
  );
}

function space(disks: readonly Disk[] | Dom0Error): Html {
  if (disks instanceof Dom0Error) {
    return panel(
      { title: "Free in dom0" },
      unreadable(disks.message),
    );
  }
  const shown = disks.filter((row) => /^\/(?!dev|run|sys|proc)/.test(row["mounted_on"] ?? ""));
  return panel(
    { title: "Free in dom0" },
    shown.length === 0 ? empty("No file system is listed.") : table(
      [{ name: "Folder" }, { name: "Free", look: "num" }, { name: "Used", look: "num" }],
      shown.map((row) => ({
        cells: [
          markup`<code>${row["mounted_on"]}</code>`,
          `${(Number(row["free_kib"]) / MIB / MIB).toFixed(1)} GB`,
          row["used_percent"],
        ],
      })),
    ),
  );
}
