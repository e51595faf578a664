// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What tells open pages that something changed: one stream for each browser, of short messages.
 * They contain only a count: each page fetches its own contents again.
 *
 * @module
 */

import type { Dom0Channel } from "./channel/dom0_channel.ts";
import { type EventStream, HttpError } from "./server/http_message.ts";
import { visibleText } from "./markup/visible_text.ts";

export interface Live {
  /** @throws {HttpError} 503 if there are too many */
  stream(session: string): EventStream;
  changed(): void;
  /** A session is over: its browser is told to go. */
  endSession(session: string): void;
  close(): void;
}

/** A proxy or a sleeping machine would let a silent stream die unnoticed. */
const BEAT_MS = 20_000;
/** One replaced file is some events of the file system; they come within this time, and are one message. */
const SETTLE_MS = 5;

type Send = (event: string, data: string) => void;

export function createLive(channel: Pick<Dom0Channel, "now" | "watch">, most: number): Live {
  const streams = new Map<Send, { readonly session: string }>();
  let count = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = "";
  const tell = async (): Promise<void> => {
    timer = undefined;
    count++;
    last = await message(channel, count);
    for (const send of streams.keys()) send("change", last);
  };
  const changed = (): void => {
    timer ??= setTimeout(() => void tell().catch(() => {}), SETTLE_MS);
  };
  const unwatch = channel.watch(changed);
  const beat = setInterval(() => {
    for (const send of streams.keys()) send("beat", "");
  }, BEAT_MS);
  return {
    changed,
    stream(session) {
      if (streams.size >= most) throw new HttpError(503, "too many browsers follow; close one");
      return (send) => {
        streams.set(send, { session });
        send("change", last === "" ? JSON.stringify({ count }) : last);
        if (last === "") changed();
        return { close: () => void streams.delete(send) };
      };
    },
    endSession(session) {
      for (const [send, of] of streams) if (of.session === session) send("ended", "");
    },
    close() {
      clearTimeout(timer);
      clearInterval(beat);
      unwatch();
      streams.clear();
    },
  };
}

async function message(channel: Pick<Dom0Channel, "now">, count: number): Promise<string> {
  const { parked } = await channel.now();
  const [newest] = parked;
  return JSON.stringify({
    count,
    waiting: parked.length,
    newest: newest === undefined ? null : {
      id: `${newest.vm}/${newest.id}`,
      text: visibleText(`${newest.vm}: ${newest.operation}`),
    },
  });
}
