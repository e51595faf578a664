// SPDX-License-Identifier: GPL-2.0-or-later
/** The names of waiting requests, smallest first, up to a limit. @module */

import type { RequestId } from "../../../shared/protocol/request_id.ts";

/** If there are more, the rest is read from the folder again when these are done. */
export const MAX_WAITING_NAMES = 10_000;

export interface NameList {
  /** Adds a name once. */
  add(id: RequestId): void;
  /** Takes the smallest name out. */
  take(): RequestId | undefined;
  size(): number;
  /** Whether names were left out since the last call of restart(). */
  incomplete(): boolean;
  /** Says that all names are about to be added again. */
  restart(): void;
}

export function createNameList(maxNames = MAX_WAITING_NAMES): NameList {
  const names = new Set<RequestId>();
  const descending: RequestId[] = [];
  let leftOut = false;
  return {
    add(id) {
      if (names.has(id)) return;
      if (names.size >= maxNames) {
        leftOut = true;
        return;
      }
      names.add(id);
      descending.splice(placeOf(descending, id), 0, id);
    },
    take() {
      const id = descending.pop();
      if (id !== undefined) names.delete(id);
      return id;
    },
    size: () => names.size,
    incomplete: () => leftOut,
    restart: () => leftOut = false,
  };
}

/** Where it belongs among names that are sorted already, the largest first. */
function placeOf(descending: readonly RequestId[], id: RequestId): number {
  let [from, to] = [0, descending.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((descending[middle] ?? id) > id) from = middle + 1;
    else to = middle;
  }
  return from;
}
