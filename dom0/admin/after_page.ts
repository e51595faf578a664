// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is asked anew because a page was made from an old answer. It starts programs in dom0, and the
 * browser that has just got the page needs the processor now: so it waits until the page is up.
 *
 * @module
 */

export interface AfterPage {
  /** Runs it once, a moment from now; a call before that changes nothing. */
  (run: () => void): void;
  /** What has not run does not. */
  close(): void;
}

/** A browser draws a page within this. */
const MOMENT_MS = 300;

export function createAfterPage(momentMs = MOMENT_MS): AfterPage {
  const waiting = new Map<() => void, ReturnType<typeof setTimeout>>();
  const afterPage = (run: () => void): void => {
    if (waiting.has(run)) return;
    const start = (): void => {
      waiting.delete(run);
      run();
    };
    waiting.set(run, setTimeout(start, momentMs));
  };
  return Object.assign(afterPage, {
    close() {
      waiting.forEach((timer) => clearTimeout(timer));
      waiting.clear();
    },
  });
}
