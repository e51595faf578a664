// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Makes and removes the cgroups of commands: many at a time, after the answers are sent, with one bash.
 * (Deno would need every permission there is for that.) It makes as many ahead as were taken since its
 * last turn; if one is missing, its warden makes it.
 *
 * @module
 */

import { runBash, TURN_OVER_CGROUPS } from "./warden.ts";

const TURN_DELAY_MS = 250;
/** How many are kept ready. Each costs the kernel some 10 KB. */
const LEAST_READY = 4;
const MOST_READY = 64;

export interface CgroupSupply {
  /** An unused one, or only its name if it has yet to be made. Never given out twice. */
  take(): string;
  /** Nothing is in it any more. */
  giveBack(cgroup: string): void;
  /** The rest is removed with the folder. */
  close(): void;
}

/** Removes the first, makes the others. @returns those of the first that are still there */
export type TurnOver = (
  ended: readonly string[],
  fresh: readonly string[],
) => Promise<readonly string[]>;

export function createCgroupSupply(
  folder: string,
  turnOver: TurnOver = byBash,
): CgroupSupply {
  let made = 0;
  let taken = 0;
  let ready: readonly string[] = [];
  let ended: readonly string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  const newName = (): string => `${folder}/${++made}`;
  const later = (): void => {
    if (!closed) timer ??= setTimeout(turn, TURN_DELAY_MS);
  };
  const turn = async (): Promise<void> => {
    const wanted = Math.min(Math.max(taken, LEAST_READY), MOST_READY);
    const removed = [...ended, ...ready.slice(wanted)];
    const kept = ready.slice(0, wanted);
    const fresh = Array.from({ length: wanted - kept.length }, newName);
    [taken, ended, ready] = [0, [], kept];
    try {
      const left = await turnOver(removed, fresh);
      ended = [...ended, ...left];
      ready = [...ready, ...fresh];
    } catch { // no process to be had now
      ended = [...ended, ...removed];
    }
    timer = undefined;
    if (ended.length > 0) later();
  };
  return {
    take() {
      taken++;
      const [first, ...rest] = ready;
      ready = rest;
      return first ?? newName();
    },
    giveBack(cgroup) {
      ended = [...ended, cgroup];
      later();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

async function byBash(
  ended: readonly string[],
  fresh: readonly string[],
): Promise<readonly string[]> {
  const { out } = await runBash(TURN_OVER_CGROUPS, String(ended.length), ...ended, ...fresh);
  return out.split("\n").filter((cgroup) => cgroup !== "");
}
