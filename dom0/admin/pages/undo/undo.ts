// SPDX-License-Identifier: GPL-2.0-or-later
/** Undo: what dom0 recorded a way back for, of operations and of its own files, in one list. @module */

import { type Admin, askerOf, isElevated, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem, type Undoable } from "../../channel/dom0_channel.ts";
import { type Html, markup, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import { page } from "../layout.ts";
import { empty, notice, state, table, time } from "../parts.ts";
import { ofFile, wayOfFile, whatOfFile } from "./file_undo.ts";
import type { FileChangeNow } from "./file_undo.ts";
import { wayOfOperation, whatOfOperation } from "./operation_undo.ts";

/** One line of the list, and what is shown of it. */
interface Line {
  /** Its page; what is sent there undoes it. */
  readonly path: string;
  readonly timeMs: number;
  readonly by: string;
  readonly what: Html;
  readonly isChangedSince: boolean;
  readonly way: (view: View) => Html;
}

interface All {
  readonly lines: readonly Line[];
  /** What could not be read. */
  readonly problems: readonly string[];
}

export function undoRoutes(admin: Admin): readonly Route[] {
  const show = async (asked: AskedBySession): Promise<Answer> => {
    const view = await viewOf(admin, asked);
    return undoPage(view, await allOf(admin, view));
  };
  const undo = (asked: AskedBySession): Promise<Answer> => undoOne(admin, asked);
  return [
    { method: "GET", path: "/undo", access: "session", answer: show },
    { method: "GET", path: "/undo/:id", access: "session", answer: show },
    { method: "GET", path: "/undo/:kind/:id", access: "session", answer: show },
    { method: "POST", path: "/undo/:id", access: "session", answer: undo },
    { method: "POST", path: "/undo/:kind/:id", access: "session", answer: undo },
  ];
}

/** Newest first. */
async function allOf({ channel }: Admin, view: View): Promise<All> {
  const [operations, policy, config] = await Promise.all([
    channel.undoable(),
    orProblem(channel.policyChanges()),
    orProblem(channel.config()),
  ]);
  const problems: string[] = [];
  const files: FileChangeNow[] = [];
  if (policy instanceof Dom0Error) problems.push(policy.message);
  else files.push(...ofFile("policy", policy));
  if (config instanceof Dom0Error) problems.push(config.message);
  else files.push(...ofFile("config", config.changes));
  const lines = [
    ...operations.map((one) => lineOfOperation(view, one)),
    ...files.map(lineOfFile),
  ];
  return { lines: lines.toSorted((a, b) => b.timeMs - a.timeMs), problems };
}

function lineOfOperation(view: View, one: Undoable): Line {
  const { id, timeMs, by, changedSince } = one;
  const path = `/undo/${encodeURIComponent(id)}`;
  return {
    path,
    timeMs,
    by,
    isChangedSince: changedSince !== null,
    what: whatOfOperation(view, one),
    way: (now) => wayOfOperation(now, one, path),
  };
}

function lineOfFile(one: FileChangeNow): Line {
  const { timeMs, by, isChangedSince } = one;
  const path = `/undo/${one.kind}/${encodeURIComponent(one.id)}`;
  return {
    path,
    timeMs,
    by,
    isChangedSince,
    what: whatOfFile(one),
    way: (now) => wayOfFile(now, one, path),
  };
}

const NOT_ELEVATED =
  "undoing a change of a file takes elevated mode: begin it on the page Sessions";

async function undoOne(admin: Admin, { named, session }: AskedBySession): Promise<Answer> {
  const { channel } = admin;
  const { kind, id = "" } = named;
  const by = askerOf(session);
  try {
    if (kind !== undefined && !isElevated(session, admin.dateMs())) {
      throw new Dom0Error(NOT_ELEVATED);
    }
    if (kind === undefined) await channel.undo(id, by);
    else if (kind === "policy") await channel.undoPolicy(id, by);
    else if (kind === "config") await channel.undoConfig(id, by);
    else throw new HttpError(404, "there is nothing of that kind to undo");
    session.notices.push({ kind: "ok", text: "Undone, and on record." });
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `Not undone: ${error.message}.` });
  }
  admin.qubes.forget();
  return seeOther("/undo");
}

function undoPage(view: View, { lines, problems }: All): Answer {
  const chosen = view.path === "/undo" ? lines[0] : lines.find(({ path }) => path === view.path);
  return page(view, {
    title: "Undo",
    facts: "What dom0 recorded a way back for. The undoing is on record too.",
    main: markup`${
      problems.map((why) =>
        notice("bad", markup`<strong>Not all of it could be read.</strong> ${why}`)
      )
    }<div class="cols"><section class="panel c7" id="undoable" data-live aria-label="Can be undone">${
      lines.length === 0
        ? empty(
          "Nothing can be undone.",
          markup`<span class="soft">A change of a setting, a tag, a rule of the firewall, a file of policy or the like stands here, with the way back. <a href="/logs">Everything is in the log.</a></span>`,
        )
        : list(view, lines, chosen)
    }<div class="body small soft">Not listed, since there is no way back: <code>vm.remove</code>, <code>shell</code>, <code>vm.run</code>.</div></section>
${chosen !== undefined && markup`<div class="c5">${chosen.way(view)}</div>`}</div>`,
  });
}

function list(view: View, lines: readonly Line[], chosen: Line | undefined): Html {
  return table(
    [{ name: "When" }, { name: "What" }, { name: "By" }, { name: "Since then" }],
    lines.map((one) => ({
      key: one.path,
      look: when(one === chosen, markup` aria-selected="true"`),
      cells: [
        markup`<a href="${one.path}">${time(one.timeMs, view.nowMs)}</a>`,
        one.what,
        one.by,
        one.isChangedSince ? state("wait", "Changed") : "Not changed",
      ],
    })),
    "long",
  );
}
