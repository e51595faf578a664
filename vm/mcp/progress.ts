// SPDX-License-Identifier: GPL-2.0-or-later
/** Tells a client that waits for a call that it is worked on. @module */

import { spanMs } from "../../shared/io/clock.ts";

/** Clients give up on a call that says nothing for 5 s: this comes in time on a busy machine, too. */
const EVERY_MS = 4_000;

/** @param notify sends one notification @returns what ends it */
export function startProgress(
  token: string | number | undefined,
  what: string,
  notify: (notification: {
    method: "notifications/progress";
    params: { progressToken: string | number; progress: number; message: string };
  }) => Promise<void>,
  everyMs = EVERY_MS,
): () => void {
  if (token === undefined) return () => {};
  const startMs = spanMs();
  const timer = setInterval(() => {
    const progress = Math.round((spanMs() - startMs) / 1000);
    const message = `${what}: dom0 works on it, ${progress} s so far`;
    notify({
      method: "notifications/progress",
      params: { progressToken: token, progress, message },
    }).catch(() => {}); // a client that is gone needs none
  }, everyMs);
  return () => clearInterval(timer);
}
