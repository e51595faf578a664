// SPDX-License-Identifier: GPL-2.0-or-later
/** How the daemon is, and whether it starts with the machine. @module */

import type { View } from "../../admin_context.ts";
import { type Html, markup, NOTHING } from "../../markup/markup.ts";
import { runningRequests } from "../../../daemon/running_requests.ts";
import { many, panel, postButton, state, time, token } from "../parts.ts";

export function daemonPanel(view: View, isAtBoot: boolean | null): Html {
  const { now, chain, session, nowMs } = view;
  const aside = markup`<a href="/logs">Logs</a>`;
  if (now.daemon === null) {
    return panel(
      { title: "Daemon", id: "daemon", isLive: true, aside },
      markup`<div class="body stack"><p>${state("bad", "Not running")}</p>
<p>Nothing that a VM asks for is taken, and nothing else can be changed from here.</p>${
        postButton(session, "/daemon", { turn: "start" }, "Start it", "main")
      }<p class="small soft">If it does not start, dom0’s terminal says why:</p><pre>journalctl -u qvm-remote-dom0</pre></div>`,
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
    }<dt>Service</dt><dd class="row"><a class="btn lean" href="/?dialog=restart">Restart…</a><a class="btn lean danger" href="/?dialog=stop">Stop…</a></dd>
<dt>Version</dt><dd>${version}, process ${pid}</dd>
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

/** What each does, and what it is called. */
const TURNS: ReadonlyMap<string, readonly [button: string, what: string]> = new Map([
  ["restart", [
    "Restart",
    "The daemon is back in a few seconds, with the same keys and rules.",
  ]],
  ["stop", [
    "Stop",
    "Then nothing that a VM asks for is taken, and nothing can be changed from here, until somebody " +
    "starts it or the machine does.",
  ]],
]);

/** For the turn that the address names. */
export function turnDialog({ query, session, now }: View): Html {
  const verb = query.get("dialog") ?? "";
  const turn = TURNS.get(verb);
  if (turn === undefined || now.daemon === null) return NOTHING;
  const [button, what] = turn;
  const running = now.daemon.vms.reduce((sum, vm) => sum + runningRequests(vm).length, 0);
  return markup`<dialog id="turn" aria-labelledby="turn-h" open><form method="post" action="/daemon">${
    token(session)
  }<input type="hidden" name="turn" value="${verb}">
<h2 id="turn-h">${button} the daemon?</h2>
<div class="stack"><p>${what}</p><p>${
    running === 0
      ? "Nothing runs for a VM now."
      : `${many(running, "running request")} ${running === 1 ? "is" : "are"} ended.`
  } ${
    now.parked.length > 0 &&
    `${many(now.parked.length, "waiting request")} ${
      now.parked.length === 1 ? "is" : "are"
    } refused.`
  }</p></div>
<footer><a class="btn" href="/" data-close autofocus>Cancel</a><button class="alarm">${button} it</button></footer></form></dialog>`;
}
