// SPDX-License-Identifier: GPL-2.0-or-later
/** Counters in the text format of Prometheus. Labels come from the configuration only. @module */

type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  count(name: CounterName, labels: Labels, by?: number): void;
  /** Seconds until the first byte. */
  observe(labels: Labels, seconds: number): void;
  /** @param gauges what is read at this moment */
  text(gauges: readonly Gauge[]): string;
}

export interface Gauge {
  readonly name: GaugeName;
  readonly labels: Labels;
  readonly value: number;
}

const COUNTERS = {
  openclaw_proxy_requests_total: "Requests by API and HTTP status.",
  openclaw_proxy_attempts_total: "Attempts at an upstream, by how they ended.",
  openclaw_proxy_tokens_total: "Tokens by provider and direction.",
  openclaw_proxy_spend_dollars_total: "Money by provider, at the configured prices.",
  openclaw_proxy_client_requests_total: "Requests by client, its VM if it is another, and status.",
  openclaw_proxy_client_tokens_total: "Tokens by client.",
  openclaw_proxy_client_spend_dollars_total: "Money by client, at the configured prices.",
  openclaw_proxy_broken_streams_total: "Streams that an upstream broke off.",
  openclaw_proxy_cancelled_total: "Requests whose client left before the end.",
  openclaw_proxy_reloads_total: "Times the configuration was read again, by result.",
} as const;
const GAUGES = {
  openclaw_proxy_breaker_open: "1 while an upstream is left alone.",
  openclaw_proxy_active_requests: "Requests under way.",
  openclaw_proxy_start_time_seconds: "When it started, in Unix time.",
  openclaw_proxy_resident_bytes: "Memory in use.",
  openclaw_proxy_body_bytes: "Of the bodies of requests under way.",
} as const;
const FIRST_BYTE = "openclaw_proxy_first_byte_seconds";
const BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export type CounterName = keyof typeof COUNTERS;
export type GaugeName = keyof typeof GAUGES;

interface Histogram {
  readonly labels: Labels;
  readonly buckets: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  const counters = new Map<string, Map<string, number>>();
  const histograms = new Map<string, Histogram>();
  return {
    count(name, labels, by = 1) {
      const series = counters.get(name) ?? new Map<string, number>();
      counters.set(name, series);
      const key = labelText(labels);
      series.set(key, (series.get(key) ?? 0) + by);
    },
    observe(labels, seconds) {
      const key = labelText(labels);
      const found = histograms.get(key) ??
        { labels, buckets: BUCKETS_S.map(() => 0), sum: 0, count: 0 };
      histograms.set(key, found);
      for (const [at, limit] of BUCKETS_S.entries()) {
        if (seconds <= limit) found.buckets[at] = (found.buckets[at] ?? 0) + 1;
      }
      found.sum += seconds;
      found.count++;
    },
    text(gauges) {
      const lines: string[] = [];
      for (const [name, help] of Object.entries(COUNTERS)) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`);
        for (const [key, value] of counters.get(name) ?? []) lines.push(`${name}${key} ${value}`);
      }
      for (const [name, help] of Object.entries(GAUGES)) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
        for (const gauge of gauges.filter((one) => one.name === name)) {
          lines.push(`${name}${labelText(gauge.labels)} ${gauge.value}`);
        }
      }
      lines.push(
        `# HELP ${FIRST_BYTE} Time until the first byte.`,
        `# TYPE ${FIRST_BYTE} histogram`,
      );
      for (const one of histograms.values()) lines.push(...histogramLines(one));
      return lines.join("\n") + "\n";
    },
  };
}

function histogramLines({ labels, buckets, sum, count }: Histogram): string[] {
  const plain = labelText(labels);
  return [
    ...BUCKETS_S.map((le, at) =>
      `${FIRST_BYTE}_bucket${labelText({ ...labels, le: String(le) })} ${buckets[at]}`
    ),
    `${FIRST_BYTE}_bucket${labelText({ ...labels, le: "+Inf" })} ${count}`,
    `${FIRST_BYTE}_sum${plain} ${sum}`,
    `${FIRST_BYTE}_count${plain} ${count}`,
  ];
}

function labelText(labels: Labels): string {
  let pairs = "";
  for (const [name, value] of Object.entries(labels)) {
    const safe = /["\\\n]/.test(value)
      ? value.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n")
      : value; // nearly always, and several times with each request
    pairs += `${pairs === "" ? "" : ","}${name}="${safe}"`;
  }
  return pairs === "" ? "" : `{${pairs}}`;
}
