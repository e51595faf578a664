// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files that may be missing, or that another program may remove at any moment: that is an answer, not
 * an error. Synchronous: a call takes microseconds on a local disk, while a thread takes a hundred, and
 * nothing else in this program happens between two calls.
 *
 * @module
 */

import { PRIVATE_FILE } from "./private_modes.ts";

export function isPresent(path: string): boolean {
  return ifPresentSync(() => Deno.lstatSync(path)) !== undefined;
}

export function readIfPresent(path: string): Uint8Array | undefined {
  return ifPresentSync(() => Deno.readFileSync(path));
}

/** @returns whether it was there */
export function removeIfPresent(path: string): boolean {
  return ifPresentSync(() => (Deno.removeSync(path), true)) ?? false;
}

/** @returns whether it was there */
export function renameIfPresent(from: string, to: string): boolean {
  return ifPresentSync(() => (Deno.renameSync(from, to), true)) ?? false;
}

/**
 * Puts a file, private to its owner, in the place of what is there: readers see the old one or the new
 * one, whole. If it fails, nothing is left behind. As PATH.new until then.
 */
export function replaceFile(path: string, text: string): void {
  try {
    Deno.writeTextFileSync(`${path}.new`, text, { mode: PRIVATE_FILE });
    Deno.renameSync(`${path}.new`, path);
  } catch (error) {
    removeIfPresent(`${path}.new`);
    throw error;
  }
}

/** undefined instead of NotFound; any other error is thrown. */
export function ifPresentSync<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
