// SPDX-License-Identifier: GPL-2.0-or-later
/** Small file habits that several modules of the simulation share. @module */

let renames = 0;

/** Publishes a whole file: a reader sees the old or the new, never a part. */
export function writeByRename(path: string, text: string): void {
  const temporary = `${path}.${Deno.pid}.${renames++}`;
  Deno.writeTextFileSync(temporary, text);
  Deno.renameSync(temporary, path);
}

/** @returns the text of the file, or undefined if there is none. */
export function readTextIfAny(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Removes a file or a link; it is no failure if it is gone already. */
export function removeIfAny(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** ESRCH, for which Deno has no class of its own. */
const NO_SUCH_PROCESS = /\(os error 3\)/;

/** True for "no such file" and, in /proc, for "no such process". */
export function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Error && NO_SUCH_PROCESS.test(error.message);
}

/** One line for a log as syslog writes it. */
export function appendLog(path: string, tag: string, text: string): void {
  const line = `${new Date().toISOString()} ${tag}: ${text}\n`;
  Deno.writeTextFileSync(path, line, { append: true });
}
