// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files of dom0: what is in a folder, a file's facts and checksum, a new folder, and how a VM pushes
 * into it or pulls from it. No page shows what is in a file.
 *
 * @module
 */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import { Dom0Error, orProblem } from "../channel/dom0_channel.ts";
import { type Html, markup } from "../markup/markup.ts";
import { type Answer, type AskedBySession, HttpError, seeOther } from "../server/http_message.ts";
import type { Route } from "../server/router.ts";
import { beginRun } from "./execute/begin_run.ts";
import { page } from "./layout.ts";
import { count, empty, many, panel, table, time, token, unreadable } from "./parts.ts";

/** Where a person's files are. */
const START = "/home";
const KIND: ReadonlyMap<string, string> = new Map([
  ["f", "file"],
  ["d", "folder"],
  ["l", "link"],
]);
/** More in one page helps nobody. */
const MOST = 1_000;

interface Entry {
  readonly type: string;
  readonly size: number;
  readonly mode: string;
  readonly mtime: number;
  readonly name: string;
}

export function fileRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/files",
    access: "session",
    async answer(asked) {
      const path = cleaned(asked.query.get("path") ?? START);
      const [view, entries] = await Promise.all([viewOf(admin, asked), list(admin, asked, path)]);
      return filesPage(view, path, entries);
    },
  }, {
    method: "POST",
    path: "/files",
    access: "session",
    answer: (asked) => change(admin, asked),
  }];
}

/** One spelling: no slash at the end. */
function cleaned(path: string): string {
  return path.trim().replace(/(?!^)\/+$/, "");
}

async function list(
  { channel }: Admin,
  { session }: AskedBySession,
  path: string,
): Promise<readonly Entry[] | Dom0Error> {
  const done = await orProblem(channel.run("file.list", { path }, askerOf(session)));
  if (done instanceof Dom0Error) return done;
  if (done.exitCode !== 0) return new Dom0Error(done.stderr.trim() || `exit ${done.exitCode}`);
  return (Array.isArray(done.value) ? done.value : []) as readonly Entry[]; // as the table says
}

async function change(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const { channel } = admin;
  const { form, session } = asked;
  const path = cleaned(form.get("path") ?? "");
  const back = `/files?path=${encodeURIComponent(form.get("folder") ?? START)}`;
  switch (form.get("what")) {
    case "hash": {
      const values = { path, hash: "true" };
      return await beginRun(admin, asked, { operation: "file.stat", values, back });
    }
    case "mkdir": {
      const done = await orProblem(channel.run("file.mkdir", { path }, askerOf(session)));
      const problem = done instanceof Dom0Error ? done.message : done.stderr.trim();
      session.notices.push(
        !(done instanceof Dom0Error) && done.exitCode === 0
          ? { kind: "ok", text: `${path} is made.` }
          : { kind: "bad", text: `Not made: ${problem}.` },
      );
      return seeOther(back);
    }
    default:
      throw new HttpError(400, "what is hash or mkdir");
  }
}

function filesPage(view: View, path: string, entries: readonly Entry[] | Dom0Error): Answer {
  return page(view, {
    title: "Files",
    facts: "Of dom0, and between dom0 and VMs",
    main:
      markup`<form class="filters" method="get" action="/files"><div class="field grow"><label for="path">Folder</label><input id="path" name="path" value="${path}" size="40" autocomplete="off" spellcheck="false"></div><button>Go</button></form>
<div class="cols"><section class="panel c8" id="files" data-live aria-label="Files in ${path}"><header><h2>${
        trail(path)
      }</h2><span class="small soft">${
        entries instanceof Dom0Error ? "" : many(entries.length, "entry", "entries")
      }</span></header>${
        entries instanceof Dom0Error ? unreadable(entries.message) : listing(view, path, entries)
      }</section><div class="c4 stack">${transfers(path)}${newFolder(view, path)}</div></div>`,
  });
}

/** Each folder on the way is a link. */
function trail(path: string): Html {
  const parts = path.split("/").filter((part) => part !== "");
  return markup`${path.startsWith("/") && "/"}${
    parts.map((part, index) => [
      index > 0 && "/",
      markup`<a href="/files?path=${
        encodeURIComponent(`/${parts.slice(0, index + 1).join("/")}`)
      }"><bdi>${part}</bdi></a>`,
    ])
  }`;
}

function listing(view: View, folder: string, entries: readonly Entry[]): Html {
  if (entries.length === 0) return empty("The folder is empty.");
  return markup`${
    table(
      [{ name: "Name" }, { name: "Kind" }, { name: "Size", look: "num" }, { name: "Mode" }, {
        name: "Changed",
      }, { name: "Action", look: "num", isSilent: true }],
      entries.slice(0, MOST).map((entry) => row(view, folder, entry)),
    )
  }${
    entries.length > MOST &&
    markup`<p class="body small soft">${count(entries.length - MOST)} more are not shown.</p>`
  }`;
}

function row({ session, nowMs }: View, folder: string, { type, size, mode, mtime, name }: Entry) {
  const path = `${folder === "/" ? "" : folder}/${name}`;
  return {
    key: name,
    cells: [
      type === "d"
        ? markup`<a href="/files?path=${encodeURIComponent(path)}"><bdi>${name}</bdi>/</a>`
        : markup`<bdi>${name}</bdi>`,
      KIND.get(type) ?? "special",
      type === "f" ? count(size) : "",
      markup`<code>${mode}</code>`,
      time(mtime * 1000, nowMs),
      type === "f" &&
      markup`<form method="post" action="/files">${
        token(session)
      }<input type="hidden" name="what" value="hash"><input type="hidden" name="folder" value="${folder}"><input type="hidden" name="path" value="${path}"><button class="lean">SHA-256<span class="vh"> of ${name}</span></button></form>`,
    ],
  };
}

function transfers(path: string): Html {
  return panel(
    { title: "Push and pull" },
    markup`<div class="body stack"><p>A VM asks, a rule of the policy names the paths, and dom0 decides. Each command shows its progress and compares the SHA-256 of both ends.</p>
<h3>From a VM into this folder</h3><pre>qvm-remote push FILE ${path === "/" ? "" : path}/</pre>
<h3>From this folder into a VM</h3><pre>qvm-remote pull ${path === "/" ? "" : path}/FILE .</pre>
<p class="small soft">What needs an answer waits on <a href="/approvals">Approvals</a>; what was done is in the <a href="/logs?text=file.">log</a>. In a rule: <code>file.read VM ${path}/* allow</code>, as <a href="/policy?new=asks#editor">a file of policy</a>.</p></div>`,
  );
}

function newFolder({ session }: View, path: string): Html {
  return panel(
    { title: "New folder" },
    markup`<form class="body row" method="post" action="/files">${
      token(session)
    }<input type="hidden" name="what" value="mkdir"><input type="hidden" name="folder" value="${path}"><label class="vh" for="new-folder">Path of the new folder</label><input id="new-folder" name="path" value="${
      path === "/" ? "" : path
    }/" size="26" required autocomplete="off" spellcheck="false"><button>Make it</button></form>`,
  );
}
