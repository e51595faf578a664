// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An error of the operating system with the files of one request. It ends only that request; a broken
 * protocol, or a bug, is of another kind and ends the session.
 *
 * @module
 */

import { errorText, isOsError } from "../../../shared/cli/program.ts";

/** Output of an earlier session is gone. */
export class OutputGoneError extends Error {
  override readonly name = "OutputGoneError";
}

/** The text for the log; null if the error is of another kind. */
export function localFailure(error: unknown): string | null {
  return isOsError(error) || error instanceof OutputGoneError ? errorText(error) : null;
}

/** Does what may fail for this one file. @returns why it failed; null if it did not */
export function attempt(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    const why = localFailure(error);
    if (why === null) throw error;
    return why;
  }
}

/** The same for work that takes its time. */
export async function attemptAsync(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    const why = localFailure(error);
    if (why === null) throw error;
    return why;
  }
}
