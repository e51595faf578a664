// SPDX-License-Identifier: GPL-2.0-or-later
/** Lockdown: one button on every page; lifted after the word is typed. @module */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import { markup } from "../markup/markup.ts";
import { type Answer, type AskedBySession, HttpError, seeOther } from "../server/http_message.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { panel, token } from "./parts.ts";

const WORD = "unlock";

export function lockdownRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/lockdown",
    access: "session",
    answer: async (asked) => lockdownPage(await viewOf(admin, asked)),
  }, {
    method: "POST",
    path: "/lockdown",
    access: "session",
    answer: (asked) => change(admin, asked),
  }];
}

async function change({ channel }: Admin, { form, session }: AskedBySession): Promise<Answer> {
  switch (form.get("what")) {
    case "lockdown":
      await channel.lockdown(askerOf(session));
      return seeOther("/lockdown");
    case "unlock":
      if (form.get("word") !== WORD) {
        session.notices.push({
          kind: "bad",
          text: `Still locked: type ${WORD} to lift the lockdown.`,
        });
        return seeOther("/lockdown");
      }
      await channel.unlock(askerOf(session));
      session.notices.push({
        kind: "ok",
        text: "Unlocked: VMs that are authorised may send requests again.",
      });
      return seeOther("/");
    default:
      throw new HttpError(400, "what is lockdown or unlock");
  }
}

function lockdownPage(view: View): Answer {
  const { session, now } = view;
  const isLocked = now.daemon?.lockdown === true;
  return page(view, {
    title: "Lockdown",
    facts: isLocked ? "Nothing that a VM asks for runs" : "Not locked down",
    main: isLocked
      ? panel(
        { title: "Unlock", id: "unlock" },
        markup`<form class="body stack" method="post" action="/lockdown">${
          token(session)
        }<input type="hidden" name="what" value="unlock">
<p>Look first at why it was locked: <a href="/logs?since=24h">the records of the last day</a>. After unlocking, VMs that are authorised may send requests again, under the same policy.</p>
<div class="field"><label for="word">Type <code>${WORD}</code> to lift the lockdown</label><input id="word" name="word" autocomplete="off" spellcheck="false" autofocus data-word="${WORD}" data-for="unlock-go"><small>Or in dom0’s terminal: <code>sudo qvm-remote-dom0 unlock</code></small></div>
<button id="unlock-go" class="alarm">Unlock</button></form>`,
      )
      : panel(
        { title: "Lock down this machine?" },
        markup`<form class="body stack" method="post" action="/lockdown">${
          token(session)
        }<input type="hidden" name="what" value="lockdown">
<p>At once, and over reboots, until somebody unlocks: commands of VMs that run are ended, what waits is refused, every session with a VM is closed. Qubes that run go on running.</p>
<button class="alarm">Lock down now</button></form>`,
      ),
  });
}
