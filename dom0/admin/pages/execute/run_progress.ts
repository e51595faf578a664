// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How far a run is, if it says so: the lines "progress BYTES OF-BYTES SECONDS" that dom0's own programs
 * for copying print on stderr become a bar and words. Of any other run they are output like the rest.
 *
 * @module
 */

import type { RunPart } from "../../../admin_orders/run_output.ts";
import { type Html, markup } from "../../markup/markup.ts";
import { span } from "../parts.ts";

export interface Progress {
  readonly bytes: number;
  readonly ofBytes: number;
  readonly seconds: number;
}

const TELLING: ReadonlySet<string> = new Set(["file.fetch", "file.send", "file.copy"]);
const LINE = /^progress (\d{1,15}) (\d{1,15}) (\d{1,9})\n/gm;
const SIZES = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]] as const;

export function tellsProgress(operation: string): boolean {
  return TELLING.has(operation);
}

/** The last word about how far it is, and what else was printed. */
export function splitProgress(
  parts: readonly RunPart[],
): { readonly parts: readonly RunPart[]; readonly progress: Progress | null } {
  let progress: Progress | null = null;
  const others = parts.map(({ stream, text }) => {
    if (stream !== 2) return { stream, text };
    const rest = text.replace(LINE, (_line, bytes, ofBytes, seconds) => {
      progress = { bytes: Number(bytes), ofBytes: Number(ofBytes), seconds: Number(seconds) };
      return "";
    });
    return { stream, text: rest };
  });
  return { parts: others.filter(({ text }) => text !== ""), progress };
}

/** 0 to 1. */
export function shareOf({ bytes, ofBytes }: Progress): number {
  return ofBytes === 0 ? 1 : Math.min(1, bytes / ofBytes);
}

/** "12.3 MB of 120.0 MB, 10 %, 4.1 MB/s, 26 s left" */
export function progressWords(progress: Progress): string {
  const { bytes, ofBytes, seconds } = progress;
  if (bytes === 0 && ofBytes > 0) {
    return `Before it is copied, its SHA-256 is computed: ${size(ofBytes)}`;
  }
  const words = [
    `${size(bytes)} of ${size(ofBytes)}`,
    `${Math.floor(shareOf(progress) * 100)} %`,
  ];
  if (seconds === 0) return words.join(", ");
  const perSecond = bytes / seconds;
  words.push(`${size(perSecond)}/s`);
  if (bytes < ofBytes) words.push(`${span((ofBytes - bytes) / perSecond * 1000)} left`);
  return words.join(", ");
}

function size(bytes: number): string {
  const [unit, name] = SIZES.find(([unit]) => bytes >= unit) ?? [1, "bytes"];
  return unit === 1 ? `${Math.round(bytes)} ${name}` : `${(bytes / unit).toFixed(1)} ${name}`;
}

/** A script of the page goes on with it. */
export function progressBar(progress: Progress | null): Html {
  return markup`<div id="progress"><progress aria-label="Copied" max="1"${
    progress !== null && markup` value="${shareOf(progress).toFixed(4)}"`
  }></progress><p class="small soft">${
    progress === null ? "It is looked for." : progressWords(progress)
  }</p></div>`;
}
