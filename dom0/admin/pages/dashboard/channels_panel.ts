// SPDX-License-Identifier: GPL-2.0-or-later
/** The VMs that are let in, how each is connected, and what it has open. @module */

import type { View } from "../../admin_context.ts";
import { type Content, type Html, markup } from "../../markup/markup.ts";
import { runningRequests } from "../../../daemon/running_requests.ts";
import type { VmState } from "../../../daemon/state_file.ts";
import { count, empty, many, panel, qubeLink, state, table } from "../parts.ts";

export function channelsPanel(view: View): Html {
  const { daemon } = view.now;
  const vms = daemon?.vms ?? [];
  const content = vms.length === 0
    ? empty(
      daemon === null ? "The daemon does not run, so no VM is connected." : "No VM is authorised.",
      markup`<span class="soft"><a href="/keys">Keys</a> lets one in, when its key was compared.</span>`,
    )
    : table(
      [
        { name: "VM" },
        { name: "Channel" },
        { name: "Waiting", look: "num" },
        { name: "Running", look: "num" },
        { name: "Action", look: "num", isSilent: true },
      ],
      vms.map((vm) => ({
        key: vm.vm,
        cells: [
          qubeLink(view, vm.vm),
          channelState(vm),
          figure(vm.parked.length),
          figure(runningRequests(vm).length),
          actions(vm.vm),
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

function channelState({ state: of, lastEnd, kept }: VmState): Content {
  const notes = [
    of !== "connected" && lastEnd,
    kept > 0 && many(kept, "answer not fetched", "answers not fetched"),
  ].filter((note) => note);
  return markup`${shapeOf(of)}${
    notes.length > 0 && markup` <span class="soft small">${notes.join("; ")}</span>`
  }`;
}

function shapeOf(of: VmState["state"]): Html {
  if (of === "connected") return state("ok", "Connected");
  if (of === "connecting") return state("busy", "Connecting");
  return state("off", of === "waiting" ? "Not connected" : "Closed");
}

function actions(vm: string): Html {
  const of = encodeURIComponent(vm);
  return markup`<span class="row end whole"><a class="btn lean" href="/logs?vm=${of}">Records<span class="vh"> of ${vm}</span></a><a class="btn lean danger" href="/keys?dialog=revoke&amp;vm=${of}">Revoke…<span class="vh"> the key of ${vm}</span></a></span>`;
}

function figure(value: number): Content {
  return value === 0 ? markup`<span class="soft">0</span>` : count(value);
}
