// SPDX-License-Identifier: GPL-2.0-or-later
/** The last day: requests by the hour, and what failed of late. @module */

import type { View } from "../../admin_context.ts";
import type { AuditRecord } from "../../channel/dom0_channel.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { count, empty, many, panel, time } from "../parts.ts";
import { endOf, isFailed, recordQube, recordWhat } from "../record_words.ts";
import { countByHour, hourChart, type HourCount } from "./hour_chart.ts";

const RECENT = 6;

export function timelinePanel(records: readonly AuditRecord[] | null, nowMs: number): Html {
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

export function failuresPanel(
  view: View,
  records: readonly AuditRecord[] | null,
): Html {
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
