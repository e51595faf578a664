// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How much the other side may send on each stream: a first window for all, more for those that
 * are read, out of one budget. What is granted and what is received and not consumed is memory
 * that this side may have to give; the sum is bounded here. Pure.
 *
 * @module
 */

import { MUX_FIRST_WINDOW_BYTES, MUX_WINDOW_BUDGET_BYTES, MUX_WINDOW_BYTES } from "./mux_limits.ts";
import { ProtocolError } from "../refusal.ts";

export interface Window {
  /** @throws {ProtocolError} "no-credit" if it is more than was granted */
  receive(bytes: number): void;
  /** @returns what to grant now; 0 while it is not worth a frame, or the stream has ended */
  consume(bytes: number, ended: boolean): number;
  close(): void;
}

export interface WindowBudget {
  newWindow(): Window;
}

/** A grant of less than this part of the window waits for more. */
const WORTH_A_FRAME = 1 / 4;

/**
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { MUX_FIRST_WINDOW_BYTES } from "./mux_limits.ts";
 *
 * const window = createWindowBudget().newWindow();
 * window.receive(MUX_FIRST_WINDOW_BYTES);
 * assertThrows(() => window.receive(1));
 * ```
 */
export function createWindowBudget(): WindowBudget {
  /** What all windows have above their first size. */
  let aboveFirst = 0;
  return {
    newWindow() {
      let granted = MUX_FIRST_WINDOW_BYTES;
      let unread = 0;
      let above = 0;
      const account = (): void => {
        aboveFirst -= above;
        above = Math.max(0, granted + unread - MUX_FIRST_WINDOW_BYTES);
        aboveFirst += above;
      };
      return {
        receive(bytes) {
          if (bytes > granted) throw new ProtocolError("no-credit", `${bytes} of ${granted} bytes`);
          granted -= bytes;
          unread += bytes;
        },
        consume(bytes, ended) {
          unread -= Math.min(bytes, unread);
          account();
          if (ended) return 0;
          const free = MUX_WINDOW_BUDGET_BYTES - aboveFirst;
          const size = Math.min(MUX_WINDOW_BYTES, MUX_FIRST_WINDOW_BYTES + above + free);
          const grant = size - granted - unread;
          if (grant < size * WORTH_A_FRAME) return 0;
          granted += grant;
          account();
          return grant;
        },
        close() {
          aboveFirst -= above;
          above = 0;
        },
      };
    },
  };
}
