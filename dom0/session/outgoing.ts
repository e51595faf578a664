// SPDX-License-Identifier: GPL-2.0-or-later
/** What goes to the VM of a session: output waits in its spool while much is unsent. @module */

import type { QrexecCall } from "../../shared/io/qrexec_call.ts";

/** Output waits in its spool, not in memory, while this much is unsent. */
const MAX_BACKLOG_BYTES = 512 * 1024;

export interface Outgoing {
  /** Nothing, once the session is over. */
  send(frame: Uint8Array): void;
  /** Whoever hears yes is called, with everybody else, when that has changed. */
  isFull(): boolean;
}

export function createOutgoing(
  { input }: Pick<QrexecCall, "input">,
  isOver: () => boolean,
  onRoom: () => void,
): Outgoing {
  let someWait = false; // a job has output and was given no room, whatever its own window says
  const isBehind = (): boolean => input.backlogBytes() >= MAX_BACKLOG_BYTES;
  return {
    send(frame) {
      if (isOver()) return;
      input.send(frame).then(() => {
        if (!someWait || isOver() || isBehind()) return;
        someWait = false;
        onRoom();
      });
    },
    isFull() {
      const full = isBehind();
      someWait ||= full;
      return full;
    },
  };
}
