// SPDX-License-Identifier: GPL-2.0-or-later
/** What the models were used for and what it cost: by client and model, and by day. @module */

import type { View } from "../../admin_context.ts";
import type { Use, UseRow } from "../../agent/agent_status.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { count, empty, many, panel, shortDate, table } from "../parts.ts";

interface Sum {
  requests: number;
  tokens: number;
  spend: number;
}

const DAYS = 14;
const DAY_MS = 86_400_000;
const HEIGHT = 48;

function money(dollars: number): string {
  return `$${dollars.toFixed(2)}`;
}

function sumsBy(rows: readonly UseRow[], keyOf: (row: UseRow) => string): ReadonlyMap<string, Sum> {
  const sums = new Map<string, Sum>();
  for (const row of rows) {
    const key = keyOf(row);
    const sum = sums.get(key) ?? { requests: 0, tokens: 0, spend: 0 };
    sum.requests += row.requests;
    sum.tokens += row.tokens;
    sum.spend += row.spend;
    sums.set(key, sum);
  }
  return sums;
}

export function useByClient(_view: View, use: Use | string | null): Html {
  const title = "Use by client and model";
  if (use === null || typeof use === "string") return panel({ title, id: "use" }, nothing(use));
  const sums = sumsBy(use.rows, ({ client, model }) => JSON.stringify([client, model]));
  return panel(
    {
      title,
      id: "use",
      aside: use.source === "counters" ? "since the proxy was started" : `the last ${DAYS} days`,
    },
    sums.size === 0 ? empty(use.detail || "Nothing was used.") : table(
      [{ name: "Client" }, { name: "Model" }, { name: "Requests", look: "num" }, {
        name: "Tokens",
        look: "num",
      }, { name: "Spend", look: "num" }],
      [...sums].toSorted(([, one], [, other]) => other.spend - one.spend).map(([key, sum]) => {
        const [client, model] = JSON.parse(key) as readonly [string | null, string | null];
        return {
          cells: [
            markup`<bdi>${client ?? "all"}</bdi>`,
            markup`<code>${model ?? "not known"}</code>`,
            count(sum.requests),
            count(sum.tokens),
            money(sum.spend),
          ],
        };
      }),
    ),
  );
}

function nothing(why: string | null): Html {
  return empty(why ?? "Nothing is asked while the qube does not run.");
}

export function useByDay({ nowMs }: View, use: Use | string | null): Html {
  const title = `Spend, ${DAYS} days`;
  if (use === null || typeof use === "string") return panel({ title }, nothing(use));
  const byDay = sumsBy(use.rows.filter(({ day }) => day !== null), ({ day }) => day ?? "");
  if (byDay.size === 0) {
    return panel(
      { title },
      empty(
        use.source === "counters"
          ? "By day it stands in the books of the qube where the proxy is."
          : "Nothing was spent.",
      ),
    );
  }
  const days = Array.from(
    { length: DAYS },
    (_, index) => new Date(nowMs - (DAYS - 1 - index) * DAY_MS).toISOString().slice(0, 10),
  ).map((day) => ({
    day,
    spend: byDay.get(day)?.spend ?? 0,
    requests: byDay.get(day)?.requests ?? 0,
  }));
  const total = days.reduce((sum, { spend }) => sum + spend, 0);
  return panel(
    { title, id: "spend", aside: money(total) },
    markup`<div class="body stack">${chart(days, total)}</div>`,
  );
}

interface Day {
  readonly day: string;
  readonly spend: number;
  readonly requests: number;
}

function chart(days: readonly Day[], total: number): Html {
  const most = Math.max(0.01, ...days.map(({ spend }) => spend));
  const label = (day: string | undefined): string => shortDate(new Date(`${day}T00:00:00`));
  const first = days[0];
  const last = days.at(-1);
  return markup`<figure><svg class="chart" viewBox="0 0 ${
    DAYS * 4
  } ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="Spend a day. Most: ${
    money(most)
  }; in all ${money(total)}.">${
    days.map(({ spend }, index) => {
      const height = spend / most * (HEIGHT - 2);
      return markup`<rect class="${index === DAYS - 1 ? "c" : "a"}" x="${index * 4 + 0.5}" y="${
        (HEIGHT - height).toFixed(2)
      }" width="3" height="${height.toFixed(2)}"/>`;
    })
  }</svg><div class="axis" aria-hidden="true"><span>${label(first?.day)}</span><span>${
    label(last?.day)
  }</span></div></figure><details class="small"><summary>Figures</summary><dl class="facts">${
    days.filter(({ requests }) => requests > 0).map(({ day, spend, requests }) =>
      markup`<dt>${label(day)}</dt><dd>${money(spend)}, ${many(requests, "request")}</dd>`
    )
  }</dl></details>`;
}
