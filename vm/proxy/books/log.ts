// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One JSON line for each thing that happened. Names, numbers and our own words only: no body, no
 * header but traceparent, no key; what comes from outside passes printable().
 *
 * @module
 */

import type { Config } from "../config/config.ts";

export type Level = Config["logLevel"];
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  (level: Level, event: string, fields?: Fields): void;
}

const RANK: Readonly<Record<Level, number>> = { error: 0, info: 1, debug: 2 };

export function createLog(
  level: () => Level,
  now: () => Date,
  write: (line: string) => void,
): Log {
  return (lineLevel, event, fields = {}) => {
    if (RANK[lineLevel] > RANK[level()]) return;
    write(JSON.stringify({ time: now().toISOString(), level: lineLevel, event, ...fields }) + "\n");
  };
}

/** The W3C header, or nothing: its form is fixed, so that nobody writes into the log with it. */
export function traceparentOf(headers: Headers): string | undefined {
  const value = headers.get("traceparent") ?? "";
  return /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value) ? value : undefined;
}

/** How long a line may wait: a pipe to the journal takes longer than the request's own work. */
const WAIT_MS = 20;

/** Gathers lines and writes them together. */
export function createLineWriter(
  write: (text: string) => void,
): { readonly line: (text: string) => void; readonly flush: () => void } {
  let waiting = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting !== "") write(waiting);
    waiting = "";
  };
  return {
    line(text) {
      waiting += text;
      timer ??= setTimeout(flush, WAIT_MS);
    },
    flush,
  };
}
