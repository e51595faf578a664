// SPDX-License-Identifier: GPL-2.0-or-later
/** Waiting: for a signal, for a while, for the run before. @module */

import { delay } from "@std/async/delay";

/** Await it to the end: in a Promise.race() its listener would stay. See unlessAborted(). */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * The result of the work, or undefined if the signal fires first. Leaves no listener behind, however
 * often it is called with the same signal.
 */
export async function unlessAborted<T>(
  signal: AbortSignal,
  work: Promise<T>,
): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => resolve(undefined);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Waits that long, or until the signal. Leaves no listener behind, however often it is called. */
export async function pause(ms: number, until: AbortSignal): Promise<void> {
  await delay(ms, { signal: until }).catch(() => {}); // it rejects only when the signal fires
}

/** Waits for the work, but not longer than that. @returns whether it was done in time */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs one at a time; calls that come during a run are one more run. */
export function serialised(
  run: () => Promise<void>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let current: Promise<void> | null = null;
  let again = false;
  const loop = async (): Promise<void> => {
    do {
      again = false;
      await run().catch(onError);
    } while (again);
    current = null;
  };
  return () => {
    if (current !== null) again = true;
    return current ??= loop();
  };
}
