// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether anything new is begun. While it is closed, what comes in waits where it came in: it begins when it is
 * opened again, or its VM sends it anew to the daemon that comes next.
 *
 * @module
 */

export interface Admission {
  /** Begun now? null: yes. Else resolves when to ask again. */
  closed(): Promise<void> | null;
  /** @returns opens it again, if nobody else keeps it closed */
  close(): () => void;
}

export function createAdmission(): Admission {
  let closers = 0;
  let opened = Promise.withResolvers<void>();
  return {
    closed: () => closers === 0 ? null : opened.promise,
    close() {
      if (closers++ === 0) opened = Promise.withResolvers<void>();
      let isDone = false;
      return () => {
        if (isDone) return;
        isDone = true;
        if (--closers === 0) opened.resolve();
      };
    },
  };
}
