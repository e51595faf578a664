// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Sends a browser what a run prints, as it comes:
 *
 *     part   { next, parts: [{ stream, text: [[text, isNamed], …] }, …] }   see visible_text.ts
 *            and { progress: { share, words } } of one that tells how far it is
 *     end    it has ended; the page has the rest
 *
 * @module
 */

import type { Admin } from "../../admin_context.ts";
import type { RunChunk } from "../../channel/dom0_channel.ts";
import { visibleParts } from "../../markup/visible_text.ts";
import { type Answer, type EventStream, HttpError } from "../../server/http_message.ts";
import type { Session } from "../../server/sessions.ts";
import { progressWords, shareOf, splitProgress } from "./run_progress.ts";

export interface OutputStreams {
  /** @throws {HttpError} 400, 404, 503 */
  answer(id: string, followed: Followed, session: Session): Promise<Answer>;
}

export interface Followed {
  /** What was printed before that, the page has. */
  readonly from: number;
  /** It tells how far it is. */
  readonly tells: boolean;
}

const MOST_STREAMS = 16;

export function createOutputStreams(
  { channel, sessions }: Pick<Admin, "channel" | "sessions">,
): OutputStreams {
  let open = 0;
  const follow = (
    id: string,
    { from, tells }: Followed,
    session: Session,
  ): EventStream =>
  (send) => {
    open++;
    let next = from;
    let isClosed = false;
    const tell = oneAtATime(async () => {
      if (isClosed) return;
      if (!sessions.all().includes(session)) return send("end", "");
      const chunk = await channel.readRun(id, next);
      if (isClosed) return;
      next = chunk?.next ?? next;
      if (chunk !== null && chunk.parts.length > 0) send("part", partsText(chunk, tells));
      if (chunk === null || chunk.end !== null) send("end", "");
    });
    const unfollow = channel.followRun(id, tell);
    tell();
    return {
      close() {
        if (!isClosed) open--;
        isClosed = true;
        unfollow();
      },
    };
  };
  return {
    async answer(id, followed, session) {
      const { from } = followed;
      if (!Number.isSafeInteger(from) || from < 0) throw new HttpError(400, "from is a number");
      if (await channel.readRun(id, from) === null) {
        throw new HttpError(404, "there is no such run");
      }
      if (open >= MOST_STREAMS) throw new HttpError(503, "too many pages follow; close one");
      const headers = new Headers({ "content-type": "text/event-stream" });
      return { status: 200, headers, body: follow(id, followed, session) };
    },
  };
}

function partsText(chunk: RunChunk, tells: boolean): string {
  const { parts, progress } = tells ? splitProgress(chunk.parts) : { ...chunk, progress: null };
  return JSON.stringify({
    next: chunk.next,
    ...progress === null
      ? {}
      : { progress: { share: shareOf(progress), words: progressWords(progress) } },
    parts: parts.map(({ stream, text }) => ({
      stream,
      text: visibleParts(text, "\n\t").map((part) => [part.text, part.isNamed]),
    })),
  });
}

/** Once more if it was called meanwhile. */
function oneAtATime(work: () => Promise<void>): () => void {
  let isBusy = false;
  let isStale = false;
  const run = async (): Promise<void> => {
    isStale = true;
    if (isBusy) return;
    isBusy = true;
    try {
      while (isStale) {
        isStale = false;
        await work();
      }
    } finally {
      isBusy = false;
    }
  };
  return () => void run().catch(() => {}); // a file that went away meanwhile is looked for again
}
