// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files that another program may take away at any moment. The calls are synchronous: one takes
 * microseconds on a local disk, a turn through a thread takes a hundred, and between two of
 * them nothing else of this program happens.
 *
 * @module
 */

/** undefined instead of NotFound; any other error is thrown. */
export function unlessAbsent<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

export function isPresent(path: string): boolean {
  return unlessAbsent(() => Deno.lstatSync(path)) !== undefined;
}

/** @returns whether it was there */
export function removeIfPresent(path: string): boolean {
  return unlessAbsent(() => (Deno.removeSync(path), true)) ?? false;
}

/** @returns whether it was there */
export function renameIfPresent(from: string, to: string): boolean {
  return unlessAbsent(() => (Deno.renameSync(from, to), true)) ?? false;
}
