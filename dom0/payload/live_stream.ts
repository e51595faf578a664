// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A live stream on its way from a VM to the command that reads it: asked for when the command starts,
 * checked chunk by chunk, confirmed when the command has it. A session that breaks leaves it where it is;
 * the next one goes on from there.
 *
 *     begin -> want -> take ... -> next ... passed -> want -> take ... the last chunk
 *                                     \\-> enough: the command reads no more
 *
 * Never more than a window of it is here, whatever the VM and its sessions do.
 *
 * @module
 */

import {
  type StreamKey,
  type UnverifiedChunk,
  verifyChunk,
} from "../../shared/protocol/live/chunk.ts";
import { BadStream, type LiveInput } from "../run/live_stdin.ts";

/** The session that brings it. */
export interface LiveSource {
  want(offset: number): void;
  enough(): void;
}

export interface LiveStream extends LiveInput {
  /** A session is there that can bring it. */
  attach(source: LiveSource): void;
  detach(): void;
  /** The next chunk: in order, and no more than was wanted. */
  take(chunk: UnverifiedChunk): void;
}

export function createLiveStream(key: Promise<StreamKey>): LiveStream {
  const waiting = createChecked(key);
  let source: LiveSource | null = null;
  let state: "closed" | "open" | "enough" | "over" = "closed";
  /** Whether this session was told where to go on. */
  let isWanted = false;
  let received = 0;
  let passed = 0;
  let hasEnd = false;
  /** In a new session only when all that came before has been passed on: else more would be here. */
  const wantMore = (): void => {
    if (source === null || state !== "open" || hasEnd) return;
    if (!isWanted && passed < received) return;
    isWanted = true;
    source.want(passed);
  };
  return {
    attach(next) {
      source = next;
      isWanted = false;
      if (state === "enough") source.enough();
      else wantMore();
    },
    detach: () => void (source = null),
    take(chunk) {
      if (state !== "open") return;
      waiting.push(chunk);
      received += chunk.data.length;
      hasEnd = chunk.isEnd;
    },
    begin() {
      if (state !== "closed") return;
      state = "open";
      wantMore();
    },
    next: waiting.next,
    passed(bytes) {
      passed += bytes;
      if (bytes > 0) wantMore();
    },
    passedBytes: () => passed,
    enough() {
      if (state !== "open") return;
      state = "enough";
      waiting.clear();
      if (!hasEnd) source?.enough();
    },
    close() {
      state = "over";
      waiting.clear();
    },
  };
}

/** Chunks that were received and not passed on: each is checked while those before it are passed on. */
interface Checked {
  push(chunk: UnverifiedChunk): void;
  next: LiveInput["next"];
  clear(): void;
}

function createChecked(key: Promise<StreamKey>): Checked {
  key.catch(() => {}); // whoever needs it hears of it
  let waiting: (readonly [chunk: UnverifiedChunk, isGood: Promise<boolean>])[] = [];
  let arrived = Promise.withResolvers<void>();
  return {
    push(chunk) {
      const isGood = key.then((known) => verifyChunk(known, chunk));
      isGood.catch(() => {}); // next() throws it
      waiting.push([chunk, isGood]);
      arrived.resolve();
    },
    async next() {
      for (;;) {
        const first = waiting.shift();
        if (first !== undefined) {
          const [{ offset, data, isEnd }, isGood] = first;
          if (await isGood) return { data, isEnd };
          throw new BadStream(`the chunk at ${offset} is not what was signed`);
        }
        arrived = Promise.withResolvers();
        await arrived.promise;
      }
    },
    clear: () => void (waiting = []),
  };
}
