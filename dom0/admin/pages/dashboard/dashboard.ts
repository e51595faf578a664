// SPDX-License-Identifier: GPL-2.0-or-later
/** Dashboard: what waits and runs, who is connected, how the daemon is, what went wrong lately. @module */

import { type Admin, askerOf, viewOf } from "../../admin_context.ts";
import { type AuditRecord, Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import { markup } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import { page } from "../layout.ts";
import { healthPanel } from "../openclaw/health_panel.ts";
import { shortDate } from "../parts.ts";
import { askedIn } from "../record_words.ts";
import { channelsPanel } from "./channels_panel.ts";
import { daemonPanel, turnDialog } from "./daemon_panel.ts";
import { failuresPanel, timelinePanel } from "./last_day_panels.ts";
import { endDialog, runningPanel } from "./running_panel.ts";
import { waitingPanel } from "./waiting_panel.ts";

const DAY_MS = 24 * 3600_000;
/** More are not needed for a chart of a day. */
const MOST_RECORDS = 5_000;
const AUTOSTART_MS = 30_000;

export function dashboardRoutes(admin: Admin): readonly Route[] {
  const autostart = createAutostart(admin);
  return [{
    method: "POST",
    path: "/daemon",
    access: "session",
    answer: (asked) =>
      asked.form.has("turn") ? turn(admin, asked) : setAutostart(admin, asked, autostart),
  }, {
    method: "POST",
    path: "/requests/:vm/:id/end",
    access: "session",
    answer: (asked) => endRequest(admin, asked),
  }, {
    method: "GET",
    path: "/",
    access: "session",
    async answer(visit) {
      const [view, records, isAtBoot] = await Promise.all([
        viewOf(admin, visit),
        lastDay(admin),
        autostart.get(),
      ]);
      const { nowMs } = view;
      const asked = askedIn(records ?? []);
      const date = new Date(nowMs);
      const clock = `${String(date.getHours()).padStart(2, "0")}:${
        String(date.getMinutes()).padStart(2, "0")
      }`;
      return page(view, {
        title: "Dashboard",
        facts: `${date.toLocaleDateString("en-GB", { weekday: "short" })} ${
          shortDate(date)
        }, ${clock}`,
        main: markup`<div class="cols">
<div class="c7 stack">${waitingPanel(view)}${runningPanel(view, asked)}${channelsPanel(view)}</div>
<div class="c5 stack">${daemonPanel(view, isAtBoot)}${healthPanel(view, admin.agent.last())}${
          timelinePanel(records, nowMs)
        }${failuresPanel(view, records)}</div>
</div>`,
        dialogs: markup`${endDialog(view, asked)}${turnDialog(view)}`,
      });
    },
  }];
}

interface Autostart {
  /** null: nobody can say. */
  get(): Promise<boolean | null>;
  forget(): void;
}

/** A program is started for it: not for each change of an open page, and no second page waits. */
function createAutostart({ channel, dateMs, afterPage, live }: Admin): Autostart {
  let known: { readonly isOn: boolean | null; readonly atMs: number } | null = null;
  const ask = async (): Promise<boolean | null> => {
    const read = await orProblem(channel.autostart());
    const isOn = read instanceof Dom0Error ? null : read.isOn;
    const isOther = known !== null && known.isOn !== isOn;
    known = { isOn, atMs: dateMs() };
    if (isOther) live.changed();
    return isOn;
  };
  const askAgain = (): void => void ask();
  return {
    async get() {
      if (known === null) return await ask();
      if (dateMs() - known.atMs > AUTOSTART_MS) afterPage(askAgain);
      return known.isOn;
    },
    forget: () => known = null,
  };
}

async function lastDay({ channel, dateMs }: Admin): Promise<readonly AuditRecord[] | null> {
  const query = { vm: null, failedOnly: false, text: "", before: null };
  return await channel.records({ ...query, sinceMs: dateMs() - DAY_MS, limit: MOST_RECORDS })
    .then(({ records }) => records, () => null);
}

async function setAutostart(
  { channel }: Admin,
  { form, session }: AskedBySession,
  autostart: Autostart,
): Promise<Answer> {
  const to = form.get("autostart");
  if (to !== "on" && to !== "off") throw new HttpError(400, "autostart is on or off");
  await channel.setAutostart(to === "on", askerOf(session));
  autostart.forget();
  session.notices.push({
    kind: "ok",
    text: to === "on"
      ? "The daemon starts with the machine."
      : "The daemon does not start with the machine any more. It goes on running.",
  });
  return seeOther("/");
}

/** What is said when it is done. */
const TURNED = {
  start: "The daemon runs.",
  restart: "The daemon restarts.",
  stop: "The daemon stops.",
} as const;

async function turn({ channel }: Admin, { form, session }: AskedBySession): Promise<Answer> {
  const verb = (["start", "restart", "stop"] as const).find((one) => one === form.get("turn"));
  if (verb === undefined) throw new HttpError(400, "turn is start, restart or stop");
  const by = askerOf(session);
  const turned = await orProblem(
    verb === "start" ? channel.startDaemon(by) : channel.turnDaemon(verb, by),
  );
  session.notices.push(
    turned instanceof Dom0Error
      ? { kind: "bad", text: `Not done. ${turned.message}` }
      : { kind: "ok", text: TURNED[verb] },
  );
  return seeOther("/");
}

async function endRequest({ channel }: Admin, { named, session }: AskedBySession): Promise<Answer> {
  const { vm = "", id = "" } = named;
  const ended = await orProblem(channel.cancelRequest({ vm, id }, askerOf(session)));
  session.notices.push(
    ended instanceof Dom0Error
      ? { kind: "bad", text: `Not ended: ${ended.message}.` }
      : { kind: "ok", text: `The request of ${vm} is ended.` },
  );
  return seeOther("/");
}
