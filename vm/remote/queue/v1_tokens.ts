// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The tokens of protocol 1. The original writes the body first and the token, a file of its
 * own, after it: a body without a token is a request that is still being written.
 *
 * @module
 */

import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { Layout } from "../files/layout.ts";
import { isPresent, renameIfPresent } from "../../../shared/io/sync_files.ts";
import { clear, isPlain } from "../files/plain_file.ts";
import { readV1Token } from "../files/queue_entry.ts";
import { after } from "../files/timer.ts";

/** By then the token must be there. */
const TOKEN_WAIT_MS = 2_000;

export interface V1Tokens {
  /** Moves the token to running/; false if it is not there yet, which starts the wait. */
  take(id: RequestId): boolean;
  isAwaited(id: RequestId): boolean;
  /** Ends the wait: something has happened to this request. */
  stopWaiting(id: RequestId): void;
  close(): void;
}

/** @param onLate called when the wait for a token is over */
export function createV1Tokens(layout: Layout, onLate: (id: RequestId) => void): V1Tokens {
  const stops = new Map<RequestId, () => void>();
  const stopWaiting = (id: RequestId): void => {
    stops.get(id)?.();
    stops.delete(id);
  };
  return {
    take(id) {
      const [from, to] = [`${layout.pending}/${id}.auth`, `${layout.running}/${id}.auth`];
      if (readV1Token(from) !== undefined) {
        if (isPresent(to) && !isPlain(to)) clear(layout, to);
        renameIfPresent(from, to);
      }
      stopWaiting(id);
      if (readV1Token(to) !== undefined) return true; // or an earlier session had moved it
      const late = (): void => {
        stops.delete(id);
        onLate(id);
      };
      stops.set(id, after(TOKEN_WAIT_MS, late));
      return false;
    },
    isAwaited: (id) => stops.has(id),
    stopWaiting,
    close() {
      for (const stop of stops.values()) stop();
    },
  };
}
