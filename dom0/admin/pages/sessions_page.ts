// SPDX-License-Identifier: GPL-2.0-or-later
/** Sessions: who is logged in, and elevated mode. @module */

import { type Admin, askerOf, isElevated, type View, viewOf } from "../admin_context.ts";
import { markup } from "../markup/markup.ts";
import { type Answer, type AskedBySession, HttpError, seeOther } from "../server/http_message.ts";
import { MAX_ELEVATED_MINUTES } from "../server/limits.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { count, left, panel, postButton, span, state, table, time, token } from "./parts.ts";

const USUAL_MINUTES = 15;
const WORD = "elevate";

export function sessionRoutes(admin: Admin): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/sessions",
      access: "session",
      answer: async (asked) => sessionsPage(await viewOf(admin, asked), admin),
    },
    {
      method: "POST",
      path: "/sessions/end",
      access: "session",
      answer: (asked) => end(admin, asked),
    },
    {
      method: "POST",
      path: "/sessions/elevate",
      access: "session",
      answer: (asked) => elevate(admin, asked),
    },
  ];
}

async function end(admin: Admin, { form, session }: AskedBySession): Promise<Answer> {
  const name = form.get("session") ?? "";
  const ended = admin.sessions.all().find((one) => one.name === name);
  if (ended === undefined) throw new HttpError(404, "there is no such session");
  admin.sessions.end(name);
  await admin.elevated.end(ended, "its session was ended");
  admin.live.endSession(name);
  await admin.channel.note(`ended the session ${name}`, askerOf(session)).catch(() => {});
  if (name !== session.name) {
    session.notices.push({ kind: "ok", text: `Session ${name} is ended.` });
  }
  return seeOther("/sessions");
}

async function elevate(admin: Admin, { form, session }: AskedBySession): Promise<Answer> {
  const minutes = Number(form.get("minutes"));
  if (!Number.isInteger(minutes) || minutes < 0 || minutes > MAX_ELEVATED_MINUTES) {
    throw new HttpError(400, `minutes are a whole number, at most ${MAX_ELEVATED_MINUTES}`);
  }
  if (minutes === 0) {
    await admin.elevated.end(session, "by hand");
    session.notices.push({ kind: "ok", text: "Elevated mode is over." });
    return seeOther("/sessions");
  }
  if (form.get("word") !== WORD) {
    session.notices.push({ kind: "bad", text: `Not begun: type ${WORD} to begin elevated mode.` });
    return seeOther("/sessions");
  }
  await admin.elevated.begin(session, minutes);
  return seeOther("/sessions");
}

function sessionsPage(view: View, { sessions }: Admin): Answer {
  const all = sessions.all();
  return page(view, {
    title: "Sessions",
    facts: `${
      count(all.length)
    } logged in. They are in memory only: a restart of the web admin ends them.`,
    main: markup`<div class="cols"><div class="c7">${
      panel(
        { title: "Sessions", id: "sessions", isLive: true },
        table(
          [{ name: "Session" }, { name: "Since" }, { name: "Last seen" }, { name: "Mode" }, {
            name: "Action",
            look: "num",
            isSilent: true,
          }],
          all.map((one) => ({
            key: one.name,
            cells: [
              markup`${one.name}${
                one === view.session && markup` <span class="soft">this one</span>`
              }`,
              time(one.begunMs, view.nowMs),
              `${span(view.nowMs - one.seenMs)} ago`,
              isElevated(one, view.nowMs) ? state("wait", "Elevated") : "Usual",
              postButton(
                view.session,
                "/sessions/end",
                { session: one.name },
                markup`End<span class="vh"> ${one.name}</span>`,
              ),
            ],
          })),
        ),
      )
    }</div><div class="c5">${elevatedPanel(view)}</div></div>`,
  });
}

function elevatedPanel({ session, nowMs }: View) {
  const isOn = isElevated(session, nowMs);
  return panel(
    { title: "Elevated mode", id: "elevated" },
    markup`<form class="body stack" method="post" action="/sessions/elevate">${token(session)}
<p>A session approves, and runs what is of level monitor and manage. In elevated mode it may also run what is of level full, scripts as root among it, save rules of the policy, and let a VM in with the grant full. It is in memory only, ends by itself, and is on record.</p>
${
      isOn
        ? markup`<p>${
          state("wait", markup`On, ${left(session.elevatedUntilMs, nowMs)} left`)
        }</p><input type="hidden" name="minutes" value="0"><button>End it now</button>`
        : markup`<div class="field"><label for="minutes">Minutes, at most ${MAX_ELEVATED_MINUTES}</label><input id="minutes" name="minutes" value="${USUAL_MINUTES}" size="5" inputmode="numeric" required></div>
<div class="field"><label for="word">Type <code>${WORD}</code> to begin it</label><input id="word" name="word" autocomplete="off" spellcheck="false" data-word="${WORD}" data-for="elevate-go"></div>
<button id="elevate-go" class="danger">Begin elevated mode</button>`
    }</form>`,
  );
}
