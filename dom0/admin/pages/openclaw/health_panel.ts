// SPDX-License-Identifier: GPL-2.0-or-later
/** The health of the agent VM's endpoints, for the Dashboard. @module */

import type { View } from "../../admin_context.ts";
import type { AgentSeen } from "../../agent/agent_watch.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { empty, panel, qubeLink, time } from "../parts.ts";
import { endpointRows, endpointState } from "./agent_panels.ts";

export function healthPanel(view: View, seen: AgentSeen | null): Html {
  const aside = markup`${
    seen !== null && seen.vm !== null && markup`asked ${time(seen.seenMs, view.nowMs)} `
  }<a href="/openclaw">OpenClaw</a>`;
  return panel({ title: "Agent", id: "agent", isLive: true, aside }, content(view, seen));
}

function content(view: View, seen: AgentSeen | null): Html {
  if (seen === null) return empty(markup`<span class="soft">Being asked…</span>`);
  if (seen.vm === null) {
    return empty(
      seen.problem === null
        ? markup`<span class="soft">dom0 is set up for no agent VM.</span>`
        : markup`<span class="soft">It cannot be asked for. ${seen.problem}</span>`,
    );
  }
  const { vm, status, problem } = seen;
  if (status === null) {
    return empty(markup`${qubeLink(view, vm)} <span class="soft">${problem}</span>`);
  }
  return markup`<ul class="list">${
    endpointRows(status).map(([name, endpoint]) =>
      markup`<li><a href="/openclaw"><span class="row"><span>${name}</span>${
        endpointState(endpoint)
      }</span></a></li>`
    )
  }</ul>`;
}
