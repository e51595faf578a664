// SPDX-License-Identifier: GPL-2.0-or-later
/** How far a transfer is, for a person: how much, how fast, how long it will take. Pure. @module */

/** More often, and nobody can read it. */
const SHOWN_EVERY_MS = 200;
/** Before that nobody knows the speed. */
const KNOWN_AFTER_MS = 1_000;

export interface Meter {
  /** @returns a text to show; null: it was shown just now */
  at(bytes: number, total: number): string | null;
}

export function createMeter(spanMs: () => number): Meter {
  let start: { readonly ms: number; readonly bytes: number } | null = null;
  let shownMs = -Infinity;
  return {
    at(bytes, total) {
      const nowMs = spanMs();
      start ??= { ms: nowMs, bytes };
      if (nowMs - shownMs < SHOWN_EVERY_MS && bytes < total) return null;
      shownMs = nowMs;
      const spentMs = nowMs - start.ms;
      const much = `${sizeText(bytes)} of ${sizeText(total)}`;
      if (spentMs < KNOWN_AFTER_MS || bytes === start.bytes) return much;
      const perMs = (bytes - start.bytes) / spentMs;
      const leftSeconds = Math.ceil((total - bytes) / perMs / 1000);
      const left = bytes < total ? `, ${durationText(leftSeconds)} left` : "";
      return `${much} (${sizeText(perMs * 1000)}/s${left})`;
    },
  };
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** Three digits or so: "1.4 GiB". */
export function sizeText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
