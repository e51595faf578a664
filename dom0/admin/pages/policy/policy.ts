// SPDX-License-Identifier: GPL-2.0-or-later
/** Policy: the rules, their effect for each authorised VM, why; files made, changed, removed, and undone. @module */

import { type Admin, askerOf, isElevated, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import type { Explanation, PolicyChangeNow, PolicyState } from "../../channel/policy_channel.ts";
import { type Html, markup, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import { MAX_POLICY_FORM_BYTES } from "../../server/limits.ts";
import type { Route } from "../../server/router.ts";
import { page } from "../layout.ts";
import { empty, many } from "../parts.ts";
import { changesPanel, undoChange } from "../file_changes.ts";
import { explainPanel } from "./explain_panel.ts";
import { type Draft, editFile } from "./file_editor.ts";
import { newFile, STARTS } from "./new_file.ts";
import { removing } from "./remove_file.ts";
import { who } from "./who_table.ts";

/** What is done to a file: "": it is looked at, or edited. */
type Doing = "" | "new" | "remove";

interface Shown {
  readonly file: string | null;
  readonly doing: Doing;
  /** What the editor shows if it is not what is on the disk. */
  readonly draft: Draft | null;
}

export function policyRoutes(admin: Admin): readonly Route[] {
  const posted = async (asked: AskedBySession): Promise<Answer> => {
    const file = asked.named["file"] ?? (asked.form.get("file") ?? "").trim();
    const path = `/policy/${encodeURIComponent(file)}`;
    if (asked.form.get("what") === "remove") return await remove(admin, asked, file, path);
    const draft = await save(admin, asked, file);
    if (draft === null) return seeOther(path);
    const doing = asked.named["file"] === undefined ? "new" : "";
    return await show(admin, asked, { file, doing, draft });
  };
  const maxFormBytes = MAX_POLICY_FORM_BYTES;
  const isNew = ({ query }: AskedBySession): Doing => query.has("new") ? "new" : "";
  const isRemoved = ({ query }: AskedBySession): Doing => query.has("remove") ? "remove" : "";
  return [
    {
      method: "GET",
      path: "/policy",
      access: "session",
      answer: (asked) => show(admin, asked, { file: null, doing: isNew(asked), draft: null }),
    },
    { method: "POST", path: "/policy", access: "session", maxFormBytes, answer: posted },
    {
      method: "POST",
      path: "/policy-undo",
      access: "session",
      answer: (asked) =>
        undoChange(admin, asked, {
          undo: admin.channel.undoPolicy,
          notElevated: NOT_ELEVATED,
          back: "/policy#changes",
        }),
    },
    {
      method: "GET",
      path: "/policy/:file",
      access: "session",
      answer: (asked) =>
        show(admin, asked, {
          file: asked.named["file"] ?? "",
          doing: isRemoved(asked),
          draft: null,
        }),
    },
    { method: "POST", path: "/policy/:file", access: "session", maxFormBytes, answer: posted },
  ];
}

const NOT_ELEVATED = "rules decide who may do anything. Begin elevated mode first, on the page " +
  "Sessions";

/** @returns null if it is saved */
async function save(
  { channel, dateMs }: Admin,
  { form, session }: AskedBySession,
  file: string,
): Promise<Draft | null> {
  const what = form.get("what") ?? "";
  if (what !== "save" && what !== "check") throw new HttpError(400, "what is check, save, remove");
  const text = form.get("text") ?? "";
  const seen = form.get("seen") || null;
  const trial = await channel.checkPolicy(file, text);
  const draft = { text, seen, trial, explained: await tryDraft(channel, form, file) };
  const not = (error: string): Draft => ({ ...draft, trial: { ...trial, error } });
  if (what === "check" || trial.error !== null) return draft;
  if (!isElevated(session, dateMs())) {
    return not(`Not saved: ${NOT_ELEVATED}; this text is kept here`);
  }
  try {
    await channel.changePolicy({ file, text, seen }, askerOf(session));
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    return not(error.message);
  }
  session.notices.push({ kind: "ok", text: `${file} is in force.` });
  return null;
}

async function remove(
  { channel, dateMs }: Admin,
  { form, session }: AskedBySession,
  file: string,
  path: string,
): Promise<Answer> {
  try {
    if (!isElevated(session, dateMs())) throw new Dom0Error(NOT_ELEVATED);
    const wanted = { file, text: null, seen: form.get("seen") || null };
    await channel.changePolicy(wanted, askerOf(session));
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `Not removed: ${error.message}.` });
    return seeOther(`${path}?remove#editor`);
  }
  session.notices.push({ kind: "ok", text: `${file} is removed. It can be undone, here.` });
  return seeOther("/policy#changes");
}

async function tryDraft(
  channel: Admin["channel"],
  form: AskedBySession["form"],
  file: string,
): Promise<Explanation | Dom0Error | null> {
  const [vm = "", words = ""] = [form.get("try-vm"), form.get("try-words")];
  if (vm === "" || words.trim() === "") return null;
  return await orProblem(channel.explain(vm, [words], { file, text: form.get("text") ?? "" }));
}

async function explain(
  { channel }: Admin,
  { query }: AskedBySession,
): Promise<Explanation | Dom0Error | null> {
  const [vm, words] = [query.get("vm"), query.get("words")];
  if (!vm || !words) return null;
  return await orProblem(channel.explain(vm, [words], null));
}

async function show(
  admin: Admin,
  asked: AskedBySession,
  { file, doing, draft }: Shown,
): Promise<Answer> {
  const { channel } = admin;
  const [view, policy, changes, explained] = await Promise.all([
    viewOf(admin, asked),
    channel.policy(),
    orProblem(channel.policyChanges()),
    explain(admin, asked),
  ]);
  const chosen = doing === "new" ? null : file ?? policy.files[0]?.name ?? null;
  const trial = doing === "remove" && chosen !== null
    ? await channel.checkPolicy(chosen, null)
    : null;
  return policyPage(view, policy, {
    chosen: doing === "new" ? null : chosen,
    explained,
    changes,
    part: doing === "new"
      ? newFile(view, policy, file ?? "", draft)
      : trial !== null
      ? removing(view, policy, chosen ?? "", trial)
      : editFile(view, policy, chosen, draft),
  });
}

interface Parts {
  readonly chosen: string | null;
  readonly part: Html;
  readonly explained: Explanation | Dom0Error | null;
  readonly changes: readonly PolicyChangeNow[] | Dom0Error;
}

function policyPage(
  view: View,
  policy: PolicyState,
  { chosen, part, explained, changes }: Parts,
): Answer {
  return page(view, {
    title: "Policy",
    facts: `${many(policy.who.length, "key")}, ${many(policy.files.length, "file")}, ${
      many(policy.rules.length, "rule")
    }`,
    main:
      markup`<nav class="tabs" aria-label="Parts"><a href="#who">Who may do what</a><a href="#editor">Policy</a><a href="#explain">Explain</a><a href="#changes">Undo</a></nav>
${
        policy.error !== null &&
        markup`<div class="notice bad" role="alert"><div><strong>The policy on the disk has an error.</strong> ${policy.error}. The last good one decides until it is corrected.</div></div>`
      }
${who(view, policy.who)}
<div class="cols gap"><nav class="panel c3" aria-label="Policy files"><header><h2>Files, in order</h2><a class="btn lean" href="/policy?new=${
        STARTS[0]?.word
      }#editor">New file</a></header>${
        files(policy, chosen)
      }<p class="body small soft">First match wins. No match is deny. <code>${policy.folder}</code></p></nav>
${part}
<div class="c12 w3 stack">${explainPanel(view, policy.who, explained)}${
        changesPanel(view, changes, "/policy-undo")
      }</div></div>`,
  });
}

function files({ files, rules }: PolicyState, chosen: string | null): Html {
  if (files.length === 0) return empty("There is no file: everything is denied.");
  return markup`<ul class="list">${
    files.map(({ name }) => {
      const own = rules.filter(({ where }) => where.startsWith(`${name}:`)).length;
      return markup`<li><a href="/policy/${encodeURIComponent(name)}#editor"${
        when(name === chosen, markup` aria-current="true"`)
      }><code>${name}</code><span class="small soft">${many(own, "rule")} in force</span></a></li>`;
    })
  }</ul>`;
}
