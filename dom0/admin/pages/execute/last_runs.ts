// SPDX-License-Identifier: GPL-2.0-or-later
/** What was run from here of late, each to be looked at, and to be run again. @module */

import type { View } from "../../admin_context.ts";
import type { ListedRun } from "../../channel/dom0_channel.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { empty, panel, qube, table, time } from "../parts.ts";
import { stateOfRun } from "./run_panel.ts";

export function lastRuns(view: View, runs: readonly ListedRun[]): Html {
  return panel(
    { title: "The last runs", id: "runs", isLive: true, aside: "older ones are in the log" },
    runs.length === 0
      ? empty(
        "Nothing was run from here yet.",
        markup`<span class="soft">What was run stands here, to be looked at and run again.</span>`,
      )
      : table(
        [{ name: "Begun" }, { name: "What" }, { name: "By" }, { name: "State" }, {
          name: "Action",
          look: "num",
          isSilent: true,
        }],
        runs.map(({ head, end }) => ({
          key: head.id,
          cells: [
            time(head.begunMs, view.nowMs),
            markup`<code>${head.operation}</code>${
              head.values["vm"] !== undefined && markup` on ${qube(view, head.values["vm"])}`
            }`,
            markup`<bdi>${head.by}</bdi>`,
            stateOfRun(end),
            markup`<a class="btn lean" href="/execute/${head.id}">Open<span class="vh"> ${head.operation}</span></a>`,
          ],
        })),
        "edits",
      ),
  );
}
