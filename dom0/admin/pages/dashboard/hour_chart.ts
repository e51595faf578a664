// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests of a day, an hour a bar, with what failed in it; and the same in words. @module */

import type { AuditRecord } from "../../channel/dom0_channel.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { count, many } from "../parts.ts";
import { isEnd } from "../../../record/record_failure.ts";
import { isFailed } from "../record_words.ts";

export interface HourCount {
  readonly fromMs: number;
  readonly all: number;
  readonly failed: number;
}

const HOUR_MS = 3600_000;
const HOURS = 24;
const HEIGHT = 48;

export function countByHour(records: readonly AuditRecord[], nowMs: number): readonly HourCount[] {
  const lastHour = Math.floor(nowMs / HOUR_MS);
  const hours = Array.from({ length: HOURS }, (_, index) => ({
    fromMs: (lastHour - HOURS + 1 + index) * HOUR_MS,
    all: 0,
    failed: 0,
  }));
  for (const record of records) {
    const hour = hours[Math.floor(Date.parse(record.time) / HOUR_MS) - lastHour + HOURS - 1];
    if (hour === undefined || !isEnd(record.event)) continue;
    hour.all++;
    if (isFailed(record)) hour.failed++;
  }
  return hours;
}

export function hourChart(hours: readonly HourCount[]): Html {
  const most = Math.max(1, ...hours.map(({ all }) => all));
  const top = hours.reduce(
    (best, hour) => hour.all > best.all ? hour : best,
    hours[0] ?? { fromMs: 0, all: 0, failed: 0 },
  );
  const bar = (look: string, index: number, value: number): Html => {
    const height = value / most * (HEIGHT - 2);
    return markup`<rect class="${look}" x="${index * 4 + 0.5}" y="${
      (HEIGHT - height).toFixed(2)
    }" width="3" height="${height.toFixed(2)}"/>`;
  };
  const words = top.all === 0
    ? "No request in the last 24 hours."
    : `Requests an hour. Most: ${count(top.all)} from ${clock(top.fromMs)}, ${
      count(top.failed)
    } of them failed or refused.`;
  return markup`<figure><svg class="chart" viewBox="0 0 96 48" preserveAspectRatio="none" role="img" aria-label="${words}">${
    hours.map((
      { all, failed },
      index,
    ) => [bar("a", index, all), failed > 0 && bar("b", index, failed)])
  }</svg><div class="axis" aria-hidden="true">${
    [0, 6, 12, 18].map((index) => markup`<span>${clock(hours[index]?.fromMs ?? 0)}</span>`)
  }<span>now</span></div></figure>
<details class="small"><summary>Figures</summary><dl class="facts">${
    hours.filter(({ all }) => all > 0).map(({ fromMs, all, failed }) =>
      markup`<dt>${clock(fromMs)}</dt><dd>${many(all, "request")}, ${
        count(failed)
      } failed or refused</dd>`
    )
  }</dl></details>`;
}

function clock(ms: number): string {
  return `${String(new Date(ms).getHours()).padStart(2, "0")}:00`;
}
