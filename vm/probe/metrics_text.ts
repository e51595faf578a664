// SPDX-License-Identifier: GPL-2.0-or-later
/** The proxy's /metrics, read: lines of Prometheus' text format as our own proxy writes them. Pure. @module */

export interface Sample {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** Of one metric; what is not understood is passed over. */
export function metricSamples(untrustedMetrics: string, name: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of untrustedMetrics.split("\n")) {
    if (!line.startsWith(name)) continue;
    const [, labels = "", value = ""] =
      /^(?:\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\})? ([0-9.e+-]+)$/.exec(line.slice(name.length)) ?? [];
    if (value === "" || !Number.isFinite(Number(value))) continue;
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, key = "", text = ""]): [string, string] => [key, text.replace(/\\(.)/g, "$1")]);
    samples.push({ labels: new Map(pairs), value: Number(value) });
  }
  return samples;
}

/** Over all its labels; null if it is not there. */
export function metricSum(untrustedMetrics: string, name: string): number | null {
  const samples = metricSamples(untrustedMetrics, name);
  return samples.length === 0 ? null : samples.reduce((sum, { value }) => sum + value, 0);
}
