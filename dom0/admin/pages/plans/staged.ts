// SPDX-License-Identifier: GPL-2.0-or-later
/** Staged changes: old and new side by side, applied as one plan. @module */

import { type Admin, askerOf, type View, viewOf } from "../../admin_context.ts";
import { currentValue } from "../../staged/current_value.ts";
import { Dom0Error } from "../../channel/dom0_channel.ts";
import type { Session } from "../../server/sessions.ts";
import { OPERATOR } from "../../../undo/run_undo.ts";
import { planPath } from "./plan_words.ts";
import { type Content, type Html, markup } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import { type StagedChange, stagedKey } from "../../staged/staged_change.ts";
import { page } from "../layout.ts";
import { empty, many, postButton, qube, qubeLink, state, table } from "../parts.ts";

export function stagedRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/staged",
    access: "session",
    async answer(asked) {
      const view = await viewOf(admin, asked);
      return stagedPage(view, await rowsOf(admin, asked.session));
    },
  }, {
    method: "POST",
    path: "/staged",
    access: "session",
    answer: (asked) => change(admin, asked),
  }];
}

async function change(admin: Admin, { form, session }: AskedBySession): Promise<Answer> {
  const key = form.get("key") ?? "";
  switch (form.get("what")) {
    case "discard":
      session.staged = session.staged.filter((one) => stagedKey(one) !== key);
      break;
    case "discard-all":
      session.staged = [];
      break;
    case "keep-mine":
      session.staged = session.staged.map((one) =>
        stagedKey(one) === key ? { ...one, before: form.get("now") ?? one.before } : one
      );
      break;
    case "apply":
      return seeOther(await apply(admin, session));
    default:
      throw new HttpError(400, "what is apply, discard, discard-all or keep-mine");
  }
  return seeOther("/staged");
}

/** @returns where its progress is, or what keeps it from beginning */
async function apply(admin: Admin, session: Session): Promise<string> {
  const { channel, dateMs } = admin;
  const { staged: changes } = session;
  if (session.applying !== null || changes.length === 0) return "/staged";
  if ((await rowsOf(admin, session)).some(isConflict)) {
    session.notices.push({
      kind: "bad",
      text: "Nothing was changed: a value changed meanwhile. Choose which one to keep.",
    });
    return "/staged";
  }
  try {
    const { id } = await channel.beginPlan(changes, askerOf(session));
    session.applying = { id, sinceMs: dateMs(), changes };
    admin.qubes.forget();
    return planPath({ vm: OPERATOR, id });
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `Nothing was changed: ${error.message}.` });
    return "/staged";
  }
}

async function rowsOf({ channel }: Admin, session: Session): Promise<readonly Row[]> {
  const by = askerOf(session);
  return await Promise.all(
    session.staged.map(async (change) => ({
      change,
      now: await currentValue(channel, change, by),
    })),
  );
}

interface Row {
  readonly change: StagedChange;
  /** null: it cannot be read. */
  readonly now: string | null;
}

function isConflict({ change, now }: Row): boolean {
  return now !== null && now !== change.before;
}

function stagedPage(view: View, rows: readonly Row[]): Answer {
  const conflicts = rows.filter(isConflict).length;
  return page(view, {
    title: "Staged changes",
    facts: "Nothing is changed until you apply. Kept over reloads.",
    main: rows.length === 0
      ? markup`<section class="panel">${
        empty(
          "Nothing is staged.",
          markup`<span class="soft">An edit of a qube’s settings is put on this list, and applied with the others. <a href="/qubes">Qubes</a></span>`,
        )
      }</section>`
      : markup`${
        conflicts > 0 &&
        markup`<div class="notice wait" role="alert"><div><strong>${conflicts} of ${rows.length} ${
          conflicts === 1 ? "has" : "have"
        } a conflict.</strong> Its value changed after you edited it. Choose which one to keep, then apply.</div></div>`
      }<section class="panel" aria-label="Staged changes">${list(view, rows)}</section>${
        view.session.applying === null
          ? bar(view, rows.length, conflicts)
          : markup`<div class="bar"><span>${
            state("busy", "Being applied")
          }</span><span class="push row"><a class="btn main" href="${
            planPath({ vm: OPERATOR, id: view.session.applying.id })
          }">Follow the plan</a></span></div>`
      }`,
  });
}

function list(view: View, rows: readonly Row[]): Html {
  return table(
    [{ name: "Qube" }, { name: "Setting" }, { name: "Now" }, { name: "After" }, { name: "State" }, {
      name: "Action",
      look: "num",
      isSilent: true,
    }],
    rows.map((row) => {
      const { change, now } = row;
      return {
        key: stagedKey(change),
        cells: [
          change.qube === null ? qube(view, null) : qubeLink(view, change.qube),
          markup`<code>${change.setting}</code>`,
          markup`<del class="was">${now ?? change.before}</del>`,
          markup`<ins class="now">${change.after === "" ? "empty" : change.after}</ins>`,
          isConflict(row)
            ? markup`${state("wait", markup`<strong>Conflict</strong>`)} <span class="small">was ${
              change.before || "empty"
            } when you edited</span>`
            : now === null
            ? state("off", "Cannot be read")
            : "Ready",
          actions(view, row),
        ],
      };
    }),
  );
}

function actions({ session }: View, row: Row): Content {
  const key = stagedKey(row.change);
  const discard = (words: Content): Html =>
    postButton(session, "/staged", { what: "discard", key }, words);
  if (!isConflict(row)) {
    return discard(
      markup`Discard<span class="vh"> ${row.change.setting} of ${row.change.qube ?? "dom0"}</span>`,
    );
  }
  return markup`<div class="row">${discard(`Keep ${row.now || "empty"}`)}${
    postButton(
      session,
      "/staged",
      { what: "keep-mine", key, now: row.now ?? "" },
      `Set ${row.change.after || "empty"}`,
    )
  }</div>`;
}

function bar({ session }: View, all: number, conflicts: number): Html {
  return markup`<div class="bar"><span>Applied as one plan, in this order. At the first failure it stops, and what was applied is taken back.</span><span class="push row">${
    conflicts > 0 && markup`<span class="small soft">Solve the conflict first.</span>`
  }${postButton(session, "/staged", { what: "discard-all" }, "Discard all", "plain")}${
    conflicts === 0 &&
    postButton(session, "/staged", { what: "apply" }, `Apply ${many(all, "change")}`, "main")
  }</span></div>`;
}
