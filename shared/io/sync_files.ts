// SPDX-License-Identifier: GPL-2.0-or-later
/** Small synchronous file calls for which a missing file is an answer, not an error. @module */

export function isPresent(path: string): boolean {
  return ifPresentSync(() => Deno.lstatSync(path)) !== undefined;
}

export function readIfPresent(path: string): Uint8Array | undefined {
  return ifPresentSync(() => Deno.readFileSync(path));
}

export function removeIfPresent(path: string): void {
  ifPresentSync(() => Deno.removeSync(path));
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
