// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files: what is in a folder of dom0 or of a qube that runs, and copying from there to another place.
 * No page shows what is in a file.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { type Admin, askerOf, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import { type Content, type Html, markup, NOTHING, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import type { Session } from "../../server/sessions.ts";
import { beginRun } from "../execute/begin_run.ts";
import { page } from "../layout.ts";
import { many, panel, qube, token } from "../parts.ts";
import { copyLabel, copyPanel, incomingFolder } from "./copy_panel.ts";
import { asFields, listFolder, type Listing, listingPart } from "./listing.ts";
import {
  cleaned,
  DOM0_START,
  type Files,
  filesOf,
  filesPath,
  inFolder,
  isReachable,
  runningQubes,
} from "./place.ts";

export function fileRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/files",
    access: "session",
    answer: (asked) => show(admin, asked),
  }, {
    method: "POST",
    path: "/files",
    access: "session",
    answer: (asked) => change(admin, asked),
  }];
}

async function show(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const files = filesOf(asked.query);
  const view = await viewOf(admin, asked);
  // An open page that brings itself up to date does not ask a qube again each time.
  if (files.vm !== null && !view.isVisit) return filesPage(view, NOTHING);
  const read = async (vm: string | null, path: string): Promise<Listing> =>
    isReachable(view, vm)
      ? await listFolder(admin, asked.session, { vm, path })
      : new Dom0Error(`${vm} does not run.`);
  const { vm, path, to, into, pick } = files;
  const [listing, picked, home] = await Promise.all([
    read(vm, path),
    pick === null || to === undefined ? null : read(to, pick),
    to === null && into === "" ? homeOf(admin, asked.session) : "",
  ]);
  return filesPage(view, filesMain(view, files, { listing, picked, home }));
}

/** Of the person at the screen: the first one there is. Where there is none, a place for anybody. */
async function homeOf(admin: Admin, session: Session): Promise<string> {
  const listing = await listFolder(admin, session, { vm: null, path: DOM0_START });
  const folders = listing instanceof Dom0Error ? [] : listing.filter(({ type }) => type === "d");
  const [first] = folders.filter(({ name }) => name !== "lost+found");
  return first === undefined ? "/srv" : `${DOM0_START}/${first.name}`;
}

async function change(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const { form } = asked;
  const files = filesOf({ get: (name) => form.get(name) ?? null });
  const back = filesPath(files);
  const file = cleaned(form.get("file") ?? "");
  switch (form.get("what")) {
    case "hash": {
      const values = { path: file, hash: "true" };
      return await beginRun(admin, asked, { operation: "file.stat", values, back });
    }
    case "copy":
      return await copy(admin, asked, files, cleaned(form.get("from") ?? ""));
    case "mkdir":
      return await runAndSay(
        admin,
        asked,
        ["file.mkdir", { path: file }],
        `${file} is made.`,
        back,
      );
    case "start": {
      const vm = files.vm ?? "";
      return await runAndSay(admin, asked, ["vm.start", { vm }], `${vm} is started.`, back);
    }
    default:
      throw new HttpError(400, "what is copy, hash, mkdir or start");
  }
}

/** What runs is shown where every run is: how far it is, and how it ended. */
async function copy(
  admin: Admin,
  asked: AskedBySession,
  files: Files,
  from: string,
): Promise<Answer> {
  const { vm, to, into } = files;
  if (to === undefined) throw new HttpError(400, "where to is not chosen");
  const name = basename(from);
  const there: Readonly<Record<string, string>> = into === "" ? {} : {
    to: inFolder(into, name),
  };
  const back = filesPath(files);
  if (vm === null) {
    const values = { vm: to ?? "", path: from, ...there };
    return await beginRun(admin, asked, { operation: "file.send", values, back });
  }
  if (to !== null) {
    const values = { vm, from, to_vm: to, ...there };
    return await beginRun(admin, asked, { operation: "file.copy", values, back });
  }
  const folder = into !== "" ? into : incomingFolder(await homeOf(admin, asked.session), vm);
  const values = { vm, from, path: inFolder(folder, name) };
  return await beginRun(admin, asked, { operation: "file.fetch", values, back });
}

async function runAndSay(
  { channel, qubes }: Admin,
  { session }: AskedBySession,
  [operation, values]: readonly [string, Readonly<Record<string, string>>],
  text: string,
  back: string,
): Promise<Answer> {
  const done = await orProblem(channel.run(operation, values, askerOf(session)));
  const problem = done instanceof Dom0Error ? done.message : done.stderr.trim();
  session.notices.push(
    !(done instanceof Dom0Error) && done.exitCode === 0
      ? { kind: "ok", text }
      : { kind: "bad", text: `Not done: ${problem}.` },
  );
  qubes.forget();
  return seeOther(back);
}

function filesPage(view: View, main: Html): Answer {
  return page(view, {
    title: "Files",
    facts: "Of dom0 and of the qubes that run, and from one to another",
    main,
  });
}

interface Read {
  readonly listing: Listing;
  readonly picked: Listing | null;
  readonly home: string;
}

function filesMain(view: View, files: Files, { listing, picked, home }: Read): Html {
  const { vm, path } = files;
  const label = listing instanceof Dom0Error ? null : copyLabel(files);
  return markup`${placeForm(view, files)}
<div class="cols"><section class="panel c8" id="files"${
    when(vm === null, markup` data-live`)
  } aria-label="Files in ${path}"><header><h2 class="row">${qube(view, vm)} <span>${
    trail(files)
  }</span></h2><span class="small soft">${
    listing instanceof Dom0Error ? "" : many(listing.length, "entry", "entries")
  }</span></header>${listingPart(view, files, listing, label)}</section><div class="c4 stack">${
    copyPanel(view, files, home, picked)
  }${vm === null && [newFolder(view, files), fromWithin(path)]}</div></div>`;
}

function placeForm(view: View, { vm, path, to, into }: Files): Html {
  const names = ["dom0", ...runningQubes(view)];
  const here = vm ?? "dom0";
  return markup`<form class="filters" method="get" action="/files"><input type="hidden" name="before" value="${here}:${path}"><div class="field"><label for="vm">Place</label><select id="vm" name="vm">${
    [...names, ...names.includes(here) ? [] : [here]].map((name) =>
      markup`<option${when(name === here, markup` selected`)}>${name}</option>`
    )
  }</select></div><div class="field grow"><label for="path">Folder</label><input id="path" name="path" value="${path}" size="40" autocomplete="off" spellcheck="false"></div>${
    to !== undefined && markup`<input type="hidden" name="to" value="${to ?? "dom0"}">`
  }${
    into !== "" && markup`<input type="hidden" name="into" value="${into}">`
  }<button>Go</button></form>`;
}

/** Each folder on the way is a link. */
function trail(files: Files): Content {
  const { path } = files;
  const [first, ...parts] = path.split("/").filter((part, index) => index === 0 || part !== "");
  const start = first === "" ? "/" : first ?? "";
  return [
    markup`<a href="${filesPath(files, { path: start })}">${start}</a>`,
    parts.map((part, index) => [
      (index > 0 || start !== "/") && "/",
      markup`<a href="${
        filesPath(files, { path: [first, ...parts.slice(0, index + 1)].join("/") })
      }"><bdi>${part}</bdi></a>`,
    ]),
  ];
}

function newFolder({ session }: View, files: Files): Html {
  const start = files.path === "/" ? "" : files.path;
  return panel(
    { title: "New folder" },
    markup`<form class="body row" method="post" action="/files">${
      token(session)
    }<input type="hidden" name="what" value="mkdir">${
      Object.entries(asFields(files)).map(([name, value]) =>
        markup`<input type="hidden" name="${name}" value="${value}">`
      )
    }<label class="vh" for="new-folder">Path of the new folder</label><input id="new-folder" name="file" value="${start}/" size="26" required autocomplete="off" spellcheck="false"><button>Make it</button></form>`,
  );
}

function fromWithin(path: string): Html {
  const folder = path === "/" ? "" : path;
  return markup`<details class="panel"><summary class="body">How a VM asks for it</summary><div class="body stack"><p>A rule of the policy names the paths, and dom0 decides.</p>
<pre>qvm-remote push FILE ${folder}/
qvm-remote pull ${folder}/FILE .</pre>
<p class="small soft">What needs an answer waits on <a href="/approvals">Approvals</a>; what was done is in the <a href="/logs?text=file.">log</a>. In a rule: <code>file.read VM ${path}/* allow</code>, as <a href="/policy?new=asks#editor">a file of policy</a>.</p></div></details>`;
}
