// SPDX-License-Identifier: GPL-2.0-or-later
/** Waiting in tests: for what is to come, never for a time. @module */

/** Waits until it is true. @throws {Error} if that takes too long */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  maxMs = 60_000,
): Promise<void> {
  const endMs = performance.now() + maxMs;
  while (!await isTrue()) {
    if (performance.now() > endMs) throw new Error(`waited ${maxMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
