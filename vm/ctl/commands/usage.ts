// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "openclaw-ctl usage". Where the proxy runs, from its books, read only. Elsewhere the books are
 * in the other VM; what the proxy tells everyone who reaches it, its counters, is shown: by
 * provider, since it was started.
 *
 * @module
 */

import { exists } from "../../../shared/io/files.ts";
import { answerText } from "../../probe/http_answer.ts";
import { metricSamples } from "../../probe/metrics_text.ts";
import { proxyUrl } from "../../probe/probe.ts";
import { hasProxy, partsOf } from "../../probe/units.ts";
import { readUse } from "../../proxy/books/ledger_read.ts";
import { ANSWER_MS, type Outcome, type Scene } from "../scene.ts";
import { shown, table } from "../text.ts";
import { noProxy } from "./models.ts";

export interface UsageRow {
  /** null: since the proxy was started. */
  readonly day: string | null;
  readonly client: string | null;
  /** As "provider/model", or the provider; null: not known. */
  readonly model: string | null;
  readonly requests: number;
  readonly tokens: number;
  readonly spend: number;
}

const DAY_MS = 86_400_000;

export async function usage(scene: Scene, days: number): Promise<Outcome> {
  if (!hasProxy(scene.settings)) throw noProxy();
  const source = partsOf(scene.settings).includes("proxy") ? "books" : "counters";
  const rows = source === "books" ? await usageRows(scene, days) : await counterRows(scene);
  if (typeof rows === "string") {
    return { ok: false, text: rows + "\n", json: { source, detail: rows, rows: [] } };
  }
  const total = rows.reduce((sum, row) => ({
    requests: sum.requests + row.requests,
    tokens: sum.tokens + row.tokens,
    spend: sum.spend + row.spend,
  }), { requests: 0, tokens: 0, spend: 0 });
  return { ok: true, text: usageText(rows, total, source), json: { source, rows, total } };
}

/** From the books of this VM; nothing if the proxy has not written any. */
export async function usageRows(
  { places, nowMs }: Pick<Scene, "places" | "nowMs">,
  days: number,
): Promise<readonly UsageRow[]> {
  const path = `${places.home}/.openclaw/proxy-use.sqlite`;
  if (!await exists(path)) return [];
  const from = new Date(nowMs() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
  return readUse(path, from).map(({ target, ...row }) => ({ ...row, model: target }));
}

async function counterRows({ ask, settings }: Scene): Promise<readonly UsageRow[] | string> {
  const url = `${proxyUrl(settings)}/metrics`;
  const answer = await ask(url, { timeoutMs: ANSWER_MS });
  if (answer.kind === "answer" && answer.status === 404) {
    return "the proxy shows its counters to no other VM: run openclaw-ctl usage in its VM";
  }
  if (answer.kind !== "answer" || answer.status !== 200) return `${url}: ${answerText(answer)}`;
  const sums = new Map<string, { requests: number; tokens: number; spend: number }>();
  const add = (metric: string, field: "requests" | "tokens" | "spend", outcome?: string): void => {
    for (const { labels, value } of metricSamples(answer.untrustedText, metric)) {
      if (outcome !== undefined && labels.get("outcome") !== outcome) continue;
      const name = labels.get("provider") ?? "";
      const sum = sums.get(name) ?? { requests: 0, tokens: 0, spend: 0 };
      sum[field] += value;
      sums.set(name, sum);
    }
  };
  add("openclaw_proxy_attempts_total", "requests", "ok");
  add("openclaw_proxy_tokens_total", "tokens");
  add("openclaw_proxy_spend_dollars_total", "spend");
  return [...sums].map(([model, sum]) => ({ day: null, client: null, model, ...sum }));
}

function usageText(
  rows: readonly UsageRow[],
  total: { readonly requests: number; readonly tokens: number; readonly spend: number },
  source: "books" | "counters",
): string {
  if (rows.length === 0) return "nothing was used\n";
  const money = (dollars: number): string => `$${dollars.toFixed(4)}`;
  const lines = rows.map(({ day, client, model, requests, tokens, spend }) => [
    day ?? "-",
    shown(client ?? "-", 40),
    shown(model ?? "-", 80),
    requests,
    tokens,
    money(spend),
  ]);
  const note = source === "books"
    ? ""
    : "since the proxy was started; by client and day in the VM where it runs\n";
  return note + table([
    ["day", "client", source === "books" ? "model" : "provider", "requests", "tokens", "money"],
    ...lines,
    ["total", "", "", total.requests, total.tokens, money(total.spend)],
  ]);
}
