// SPDX-License-Identifier: GPL-2.0-or-later
/** Configuration: remote.conf, which VMs are served and the limits of their commands; edited and undone. @module */

import { type Admin, askerOf, isElevated, type View, viewOf } from "../admin_context.ts";
import type { ConfigProblem, ConfigState } from "../channel/config_channel.ts";
import { Dom0Error } from "../channel/dom0_channel.ts";
import { type Html, markup } from "../markup/markup.ts";
import { type Answer, type AskedBySession, HttpError, seeOther } from "../server/http_message.ts";
import { MAX_POLICY_FORM_BYTES } from "../server/limits.ts";
import type { Route } from "../server/router.ts";
import { changesPanel, undoChange } from "./file_changes.ts";
import { page } from "./layout.ts";
import { many, panel, state, token } from "./parts.ts";
import { textEditor } from "./text_editor.ts";

/** A text that is not saved, and what was found in it. */
interface Draft {
  readonly text: string;
  readonly seen: string;
  readonly problems: readonly ConfigProblem[];
  /** Why it was not saved; null: it was only checked. */
  readonly error: string | null;
}

const NOT_ELEVATED =
  "the limits of commands are set here. Begin elevated mode first, on the page " +
  "Sessions";

export function configurationRoutes(admin: Admin): readonly Route[] {
  const show = async (asked: AskedBySession, draft: Draft | null): Promise<Answer> => {
    const [view, config] = await Promise.all([viewOf(admin, asked), admin.channel.config()]);
    return configurationPage(view, config, draft);
  };
  return [{
    method: "GET",
    path: "/configuration",
    access: "session",
    answer: (asked) => show(asked, null),
  }, {
    method: "POST",
    path: "/configuration",
    access: "session",
    maxFormBytes: MAX_POLICY_FORM_BYTES,
    async answer(asked) {
      const draft = await save(admin, asked);
      return draft === null ? seeOther("/configuration") : await show(asked, draft);
    },
  }, {
    method: "POST",
    path: "/configuration/undo",
    access: "session",
    answer: (asked) =>
      undoChange(admin, asked, {
        undo: admin.channel.undoConfig,
        notElevated: NOT_ELEVATED,
        back: "/configuration#changes",
      }),
  }];
}

/** @returns null if it is saved */
async function save(
  { channel, dateMs }: Admin,
  { form, session }: AskedBySession,
): Promise<Draft | null> {
  const what = form.get("what") ?? "";
  if (what !== "save" && what !== "check") throw new HttpError(400, "what is check or save");
  const text = form.get("text") ?? "";
  const seen = form.get("seen") ?? "";
  const draft: Draft = { text, seen, problems: await channel.checkConfig(text), error: null };
  if (what === "check" || draft.problems.length > 0) return draft;
  if (!isElevated(session, dateMs())) return { ...draft, error: NOT_ELEVATED };
  try {
    await channel.changeConfig(text, seen, askerOf(session));
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    return { ...draft, error: error.message };
  }
  const saved = "remote.conf is saved. The daemon takes it up by itself.";
  session.notices.push({ kind: "ok", text: saved });
  return null;
}

function configurationPage(view: View, config: ConfigState, draft: Draft | null): Answer {
  return page(view, {
    title: "Configuration",
    facts: "Which VMs are served, and what their commands may take",
    main: markup`<div class="cols"><div class="c8">${
      editor(view, config, draft)
    }</div><div class="c4 stack">${health(view)}${
      changesPanel(view, config.changes, "/configuration/undo")
    }</div></div>`,
  });
}

function editor(
  view: View,
  { path, text, mark, problems }: ConfigState,
  draft: Draft | null,
): Html {
  const found = draft?.problems ?? problems;
  return panel(
    { title: markup`<code>remote.conf</code>`, aside: draft === null ? path : "not saved" },
    markup`<form class="body stack" method="post" action="/configuration">${
      token(view.session)
    }<input type="hidden" name="seen" value="${draft?.seen ?? mark}">${
      textEditor(draft?.text ?? text, {
        name: "remote.conf",
        isWrong: found.length > 0,
        found: "found",
      })
    }${
      findings(found, draft)
    }<div class="row"><button class="main" name="what" value="save">Save</button><button name="what" value="check">Check</button>${
      draft !== null && markup`<a href="/configuration">Go back to the version on the disk</a>`
    }</div><p class="small soft">A file with an error is not saved. A change is in force at once.${
      !isElevated(view.session, view.nowMs) &&
      markup` Saving takes <a href="/sessions#elevated">elevated mode</a>.`
    }</p></form>`,
  );
}

function findings(problems: readonly ConfigProblem[], draft: Draft | null): Html {
  return markup`<ul id="found" class="stack small">${
    problems.map(({ line, text }) =>
      markup`<li><strong class="bad">Error.</strong> line ${line}: ${text}</li>`
    )
  }${
    draft !== null && draft.error !== null &&
    markup`<li role="alert"><strong class="bad">Not saved.</strong> ${draft.error}. This text is kept here.</li>`
  }${
    draft !== null && draft.error === null && problems.length === 0 &&
    markup`<li>Nothing is wrong with it.</li>`
  }</ul>`;
}

/** What the daemon finds wrong with configuration, keys and policy together. */
function health({ now }: View): Html {
  const { daemon } = now;
  const problems = daemon?.problems ?? [];
  return panel(
    {
      title: "What the daemon says",
      id: "problems",
      isLive: true,
      aside: daemon === null ? "" : many(problems.length, "problem"),
    },
    markup`<div class="body stack">${
      daemon === null
        ? state("bad", "Not running")
        : problems.length === 0
        ? markup`<p>${state("ok", "Configuration, keys and policy are good.")}</p>`
        : markup`<ul class="stack small">${
          problems.map((problem) => markup`<li class="bad">${problem}</li>`)
        }</ul>`
    }<p class="small soft">Keys are on <a href="/keys">Keys</a>, rules on <a href="/policy">Policy</a>.</p></div>`,
  );
}
