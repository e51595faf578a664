// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A payload on its way from a VM into dom0: dom0 asks for as much as it has room for, the VM sends that
 * much, in order. A session that breaks leaves it where it is; the next one goes on from there.
 *
 *     attach -> pull -> take ... -> pull -> take ... all of it -> checked -> whole
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { PAYLOAD_WINDOW_BYTES } from "../../shared/protocol/limits.ts";
import { type PayloadFile, PayloadRefused } from "./payload_store.ts";

/** So long without a byte, and nobody waits any longer. */
const STALL_MS = 5 * 60_000;

/** The session that brings it. */
export interface Source {
  pull(offset: number, bytes: number): void;
}

export interface Intake {
  /** A session is there that can bring it: what is missing is asked for. */
  attach(source: Source): void;
  detach(): void;
  /** The next bytes; none: the VM cannot read the rest. */
  take(data: Uint8Array): void;
  /** Nobody wants it any more. */
  abandon(): void;
  /** Resolves when all of it is there, and is what was signed. @throws {PayloadRefused} */
  readonly whole: Promise<void>;
}

export function createIntake(
  file: PayloadFile,
  bytes: number,
  clock: Pick<Clock, "every">,
): Intake {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {}); // whoever waits for it may come later
  const asking = createAsking(file, bytes);
  let isOver = false;
  let isMoving = true;
  /** Once. `work` says how. */
  const end = (work: () => void): void => {
    if (isOver) return;
    isOver = true;
    endTimer();
    try {
      work();
    } catch (error) {
      reject(error);
    }
  };
  const giveUp = (why: string): void =>
    end(() => {
      file.leave();
      throw new PayloadRefused(why);
    });
  const endTimer = clock.every(STALL_MS, () => {
    if (!isMoving) giveUp(`${bytes - file.length()} bytes of it did not come`);
    isMoving = false;
  });
  const goOn = (): void => {
    if (file.length() < bytes) return asking.askForMore();
    end(() => {
      file.seal();
      resolve();
    });
  };
  goOn(); // an earlier request brought all of it, or it is empty
  return {
    whole: promise,
    attach(source) {
      if (!isOver) asking.attach(source);
    },
    detach: asking.detach,
    take(data) {
      if (isOver) return;
      if (data.length === 0) return giveUp("the VM could not read all of it");
      isMoving = true;
      try {
        file.append(data);
      } catch (error) {
        return end(() => reject(error));
      }
      goOn();
    },
    abandon: () => end(file.leave),
  };
}

interface Asking {
  attach(source: Source): void;
  detach(): void;
  /** If there is room for half a window at least: so the VM need not wait for the next pull. */
  askForMore(): void;
}

function createAsking(file: Pick<PayloadFile, "length">, bytes: number): Asking {
  let source: Source | null = null;
  let askedTo = 0;
  const askForMore = (): void => {
    const room = PAYLOAD_WINDOW_BYTES - (askedTo - file.length());
    const next = Math.min(room, bytes - askedTo);
    if (source === null || next <= 0) return;
    if (next < bytes - askedTo && room < PAYLOAD_WINDOW_BYTES / 2) return;
    source.pull(askedTo, next);
    askedTo += next;
  };
  return {
    attach(next) {
      source = next;
      askedTo = file.length();
      askForMore();
    },
    detach: () => void (source = null),
    askForMore,
  };
}
