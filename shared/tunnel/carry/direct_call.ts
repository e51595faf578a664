// SPDX-License-Identifier: GPL-2.0-or-later
/** A connection with a qrexec call of its own: to qubes.ConnectTCP, as any VM has it. @module */

import type { CallEnd, QrexecCall } from "../../io/qrexec_call.ts";
import { callFailure } from "../failure.ts";
import type { RemoteEnd } from "./remote_end.ts";

/**
 * @param isHalted asked when the call could not be had
 * @param onSpoken called once, when the VM's side has sent something
 */
export function directEnd(
  call: QrexecCall,
  isHalted: () => boolean,
  onSpoken: () => void,
): RemoteEnd {
  const reader = call.output.getReader();
  let spoke = false;
  let aborted = false;
  let ended: CallEnd | null = null;
  const gone = call.ended.then((end) => {
    ended = end;
  });
  return {
    gone,
    async read() {
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value !== undefined) {
        if (!spoke) onSpoken();
        spoke = true;
        return value;
      }
      // A remote that closed its stdout may still read; one that broke has ended by now.
      const failed = await Promise.race([call.ended, settled()]);
      const failure = failed && !aborted ? callFailure(failed, spoke, isHalted()) : null;
      if (failure !== null) throw failure;
      return null;
    },
    async write(bytes) {
      if (ended === null) await Promise.race([call.input.send(bytes), gone]);
    },
    closeWrite: () => call.closeInput(),
    abort() {
      aborted = true;
      // The call would go on without this side, and so would the remote (it sees its stdin end).
      call.kill();
      reader.cancel().catch(() => {});
    },
  };
}

/** Long enough for the exit code that follows the end of a refused call's output. */
const SETTLE_MS = 100;

function settled(): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), SETTLE_MS));
}
