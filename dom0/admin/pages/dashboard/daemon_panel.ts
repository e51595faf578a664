// SPDX-License-Identifier: GPL-2.0-or-later
/** How the daemon is, and whether it starts with the machine. @module */

import type { View } from "../../admin_context.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { panel, postButton, state, time } from "../parts.ts";

export function daemonPanel(view: View, isAtBoot: boolean | null): Html {
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
