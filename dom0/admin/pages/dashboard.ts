// SPDX-License-Identifier: GPL-2.0-or-later
/** Dashboard: what waits, who is connected, how the daemon is, what went wrong lately. @module */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import { type AuditRecord, Dom0Error, orProblem } from "../channel/dom0_channel.ts";
import { type Content, type Html, markup } from "../markup/markup.ts";
import { HttpError, seeOther } from "../server/http_message.ts";
import type { Route } from "../server/router.ts";
import type { VmState } from "../../daemon/state_file.ts";
import { countByHour, hourChart, type HourCount } from "./hour_chart.ts";
import { page } from "./layout.ts";
import { healthPanel } from "./openclaw/health_panel.ts";
import { operationWords, requestPath } from "./request_words.ts";
import {
  count,
  empty,
  level,
  many,
  panel,
  postButton,
  qube,
  qubeLink,
  qubeList,
  shortDate,
  span,
  state,
  table,
  time,
} from "./parts.ts";
import { endOf, isFailed, recordQube, recordWhat } from "./record_words.ts";

const DAY_MS = 24 * 3600_000;
/** More are not needed for a chart of a day. */
const MOST_RECORDS = 5_000;
const RECENT = 6;
const AUTOSTART_MS = 30_000;

export function dashboardRoutes(admin: Admin): readonly Route[] {
  const autostart = createAutostart(admin);
  return [{
    method: "POST",
    path: "/daemon",
    access: "session",
    async answer({ form, session }) {
      const to = form.get("autostart");
      if (to !== "on" && to !== "off") throw new HttpError(400, "autostart is on or off");
      await admin.channel.setAutostart(to === "on", askerOf(session));
      autostart.forget();
      session.notices.push({
        kind: "ok",
        text: to === "on"
          ? "The daemon starts with the machine."
          : "The daemon does not start with the machine any more. It goes on running.",
      });
      return seeOther("/");
    },
  }, {
    method: "GET",
    path: "/",
    access: "session",
    async answer(asked) {
      const [view, records, isAtBoot] = await Promise.all([
        viewOf(admin, asked),
        lastDay(admin),
        autostart.get(),
      ]);
      const { nowMs } = view;
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
<div class="c7 stack">${waiting(view)}${channels(view)}</div>
<div class="c5 stack">${daemon(view, isAtBoot)}${healthPanel(view, admin.agent.last())}${
          timeline(records, nowMs)
        }${failures(view, records)}</div>
</div>`,
      });
    },
  }];
}

interface Autostart {
  /** null: nobody can say. */
  get(): Promise<boolean | null>;
  forget(): void;
}

/** A program is started for it: not for each change of an open page. */
function createAutostart({ channel, dateMs }: Admin): Autostart {
  let known: { readonly isOn: boolean | null; readonly atMs: number } | null = null;
  return {
    async get() {
      if (known !== null && dateMs() - known.atMs < AUTOSTART_MS) return known.isOn;
      const read = await orProblem(channel.autostart());
      const isOn = read instanceof Dom0Error ? null : read.isOn;
      known = { isOn, atMs: dateMs() };
      return isOn;
    },
    forget: () => known = null,
  };
}

async function lastDay({ channel, dateMs }: Admin): Promise<readonly AuditRecord[] | null> {
  const query = { vm: null, failedOnly: false, text: "", before: null };
  return await channel.records({ ...query, sinceMs: dateMs() - DAY_MS, limit: MOST_RECORDS })
    .then(({ records }) => records, () => null);
}

function waiting(view: View): Html {
  const { parked } = view.now;
  const content = parked.length === 0
    ? empty(
      "Nothing waits for you.",
      markup`<span class="soft">What a VM asks for, and a rule answers with <code>ask</code>, stands here.</span>`,
    )
    : table(
      [
        { name: "Asked by" },
        { name: "Operation" },
        { name: "On" },
        { name: "Level" },
        { name: "Waits", look: "num" },
        { name: "Action", look: "num", isSilent: true },
      ],
      parked.map((request) => ({
        key: `${request.vm}/${request.id}`,
        cells: [
          qube(view, request.vm),
          markup`<code>${operationWords(request)}</code>${
            request.destructive && markup` <span class="bad small">destroys</span>`
          }`,
          qubeList(view, request.targets),
          level(request.level),
          span(view.nowMs - request.parkedMs),
          markup`<a class="btn lean" href="${
            requestPath(request)
          }">Review<span class="vh"> ${request.operation} from ${request.vm}</span></a>`,
        ],
      })),
    );
  return panel({
    title: "Waiting for you",
    id: "waiting",
    isLive: true,
    aside: markup`<a href="/approvals">Approvals</a> <kbd>g</kbd> <kbd>a</kbd>`,
  }, content);
}

function channels(view: View): Html {
  const { daemon, parked } = view.now;
  const vms = daemon?.vms ?? [];
  const content = vms.length === 0
    ? empty(
      daemon === null ? "The daemon does not run, so no VM is connected." : "No VM is authorised.",
      markup`<span class="soft">In dom0’s terminal: <code>sudo qvm-remote-dom0 authorize --fetch --grant monitor VM</code></span>`,
    )
    : table(
      [
        { name: "VM" },
        { name: "Channel" },
        { name: "Waiting", look: "num" },
        { name: "Running", look: "num" },
        { name: "Not fetched", look: "num" },
      ],
      vms.map((vm) => ({
        key: vm.vm,
        cells: [
          qubeLink(view, vm.vm),
          channelState(vm),
          figure(parked.filter((request) => request.vm === vm.vm).length),
          figure(vm.open.length),
          figure(vm.kept),
        ],
      })),
    );
  return panel({
    title: "VMs and their channels",
    id: "channels",
    isLive: true,
    aside: `${count(vms.length)} authorised`,
  }, content);
}

export function channelState({ state: of, lastEnd }: VmState): Content {
  if (of === "connected") return state("ok", "Connected");
  const why = lastEnd !== null && markup` <span class="soft small">${lastEnd}</span>`;
  if (of === "connecting") return markup`${state("busy", "Connecting")}${why}`;
  return markup`${state("off", of === "waiting" ? "Not connected" : "Closed")}${why}`;
}

function figure(value: number): Content {
  return value === 0 ? markup`<span class="soft">0</span>` : count(value);
}

function daemon(view: View, isAtBoot: boolean | null): Html {
  const { now, chain, session, nowMs } = view;
  const aside = markup`<a href="/logs">Logs</a>`;
  if (now.daemon === null) {
    return panel(
      { title: "Daemon", id: "daemon", isLive: true, aside },
      markup`<div class="body stack"><p>${state("bad", "Not running")}</p>
<p>Nothing that a VM asks for is taken, and nothing can be changed from here. In dom0’s terminal:</p><pre>sudo systemctl start qvm-remote-dom0
journalctl -u qvm-remote-dom0</pre></div>`,
    );
  }
  const { startedAt, version, limits, problems, lockdown, pid } = now.daemon;
  return panel(
    { title: "Daemon", id: "daemon", isLive: true, aside },
    markup`<div class="body stack"><dl class="facts">
<dt>State</dt><dd>${lockdown ? state("bad", "Locked down") : state("ok", "Running")} since ${
      time(Date.parse(startedAt), nowMs)
    }</dd>
${
      isAtBoot !== null &&
      markup`<dt>Autostart</dt><dd class="row">${
        isAtBoot ? state("ok", "With the machine") : state("off", "Off")
      }${
        postButton(
          session,
          "/daemon",
          { autostart: isAtBoot ? "off" : "on" },
          markup`Turn ${isAtBoot ? "off" : "on"}<span class="vh"> autostart</span>`,
        )
      }</dd>`
    }<dt>Version</dt><dd>${version}, process ${pid}</dd>
<dt>Limits</dt><dd>processes: ${limits.processes}, memory: ${limits.memory}</dd>
<dt>Record</dt><dd>${
      chain === null
        ? markup`<span class="soft">not looked at yet</span>`
        : state(chain.isWhole ? "ok" : "bad", chain.text)
    }</dd>
<dt>Session</dt><dd><a href="/sessions">${session.name}</a>, since ${
      time(session.begunMs, nowMs)
    }</dd></dl>
${
      problems.length > 0 && markup`<ul class="stack small">${
        problems.map((problem) => markup`<li class="bad">${problem}</li>`)
      }</ul>`
    }
</div>`,
  );
}

function timeline(records: readonly AuditRecord[] | null, nowMs: number): Html {
  if (records === null) {
    return panel(
      { title: "Last 24 hours" },
      empty("The record cannot be read while the daemon does not answer."),
    );
  }
  const hours = countByHour(records, nowMs);
  const sum = (of: (hour: HourCount) => number): number =>
    hours.reduce((all, hour) => all + of(hour), 0);
  const aside = `${many(sum(({ all }) => all), "request")}, ${
    count(sum(({ failed }) => failed))
  } failed or refused`;
  return panel(
    { title: "Last 24 hours", id: "timeline", isLive: true, aside },
    markup`<div class="body stack">${hourChart(hours)}
<p class="small soft row"><span><span class="key"></span> requests</span> <span><span class="key b"></span> failed or refused</span></p></div>`,
  );
}

function failures(view: View, records: readonly AuditRecord[] | null): Html {
  const failed = (records ?? []).filter(isFailed).slice(0, RECENT);
  return panel(
    {
      title: "Recent failures",
      id: "failures",
      isLive: true,
      aside: markup`<a href="/logs?failed=1">All</a>`,
    },
    failed.length === 0
      ? empty("Nothing failed or was refused in the last 24 hours.")
      : markup`<ul class="list">${
        failed.map((record) =>
          markup`<li data-key="${record.seq}"><a href="/logs?at=${record.seq}#r${record.seq}"><span class="row"><span>${
            recordQube(view, record)
          } <code>${recordWhat(record)}</code></span><span class="soft small">${
            time(Date.parse(record.time), view.nowMs)
          }</span></span><span class="small">${endOf(record)}</span></a></li>`
        )
      }</ul>`,
  );
}
