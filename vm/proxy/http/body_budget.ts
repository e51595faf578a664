// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How many bytes of requests' bodies may be in memory at once: room is taken before a body is
 * read, so that large ones are refused for a moment instead of ending the process. Pure.
 *
 * @module
 */

const MIB = 1024 * 1024;
/** Of the memory that the unit allows; the runtime, streams and answers have the rest. */
const SHARE_OF_MEMORY = 3 / 8;
/** What the unit allows, where nothing says it. */
const USUAL_MEMORY_MIB = 512;
/** Pictures and a long history: OpenClaw's first prompt alone has 60 KB. */
const MAX_REQUEST_BYTES = 64 * MIB;

export interface BodyBudget {
  /** @param alone there is no other client: it may use all of it, and not only half */
  open(account: string, alone: boolean): Hold;
  usedBytes(): number;
}

/** What one request has taken of it. */
export interface Hold {
  /** The largest body that can ever be held. */
  readonly maxRequestBytes: number;
  /** @returns false if there is no room for that many more: then nothing is taken */
  take(bytes: number): boolean;
  /** Gives all of it back; any number of times. */
  release(): void;
}

/** @param memoryMib of the whole process, as OPENCLAW_PROXY_MEMORY_MIB says it; null: nothing does */
export function budgetBytes(memoryMib: number | null): number {
  return (memoryMib ?? USUAL_MEMORY_MIB) * MIB * SHARE_OF_MEMORY;
}

export function createBodyBudget(totalBytes: number): BodyBudget {
  const byAccount = new Map<string, number>();
  let used = 0;
  const shareBytes = totalBytes / 2;
  const maxRequestBytes = Math.min(MAX_REQUEST_BYTES, shareBytes);
  return {
    usedBytes: () => used,
    open(account, alone) {
      let held = 0;
      const most = alone ? totalBytes : shareBytes;
      const add = (bytes: number): void => {
        held += bytes;
        used += bytes;
        const left = (byAccount.get(account) ?? 0) + bytes;
        if (left === 0) byAccount.delete(account);
        else byAccount.set(account, left);
      };
      return {
        maxRequestBytes,
        take(bytes) {
          const mine = byAccount.get(account) ?? 0;
          if (used + bytes > totalBytes || mine + bytes > most) return false;
          add(bytes);
          return true;
        },
        release: () => add(-held),
      };
    },
  };
}
