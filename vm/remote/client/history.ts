// SPDX-License-Identifier: GPL-2.0-or-later
/** What was run: history/YYYY-MM-DD/ID/, written by the client and, for what it left, the service. @module */

import { ifPresent, readSmall } from "../../../shared/io/files.ts";
import { ifPresentSync } from "../../../shared/io/sync_files.ts";
import { asLatin1, type Bytes } from "../../../shared/protocol/bytes.ts";
import { MAX_BODY_BYTES } from "../../../shared/protocol/limits.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { Layout, ResultPart } from "../files/layout.ts";
import { idOfName } from "../files/queue_entry.ts";
import { namesIn } from "../files/queue_list.ts";

const MAX_META_BYTES = 4096;
/** Longer commands are cut when they are shown. */
const MAX_COMMAND_BYTES = 4 * MAX_BODY_BYTES;

export interface HistoryEntry {
  readonly id: RequestId;
  /** null where it was not written: an answer of protocol 1, or one that lost its client. */
  readonly outcome: string | null;
  readonly exitCode: number | null;
  /** The limit that ended it: ms, bytes or processes, by the outcome. */
  readonly limit: number | null;
  /** Processes that it left running, and that were ended. */
  readonly left: number | null;
  readonly durationMs: number | null;
  readonly started: string | null;
  readonly untrustedCommand: string | null;
}

/** The newest entries, newest first. */
export async function listHistory(
  layout: Layout,
  maxEntries: number,
): Promise<readonly HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for (const day of await days(layout)) {
    for (const name of newestFirst(day, await namesIn(day))) {
      const id = idOfName(name);
      if (id === undefined) continue;
      if (entries.length >= maxEntries) return entries;
      entries.push(await readEntry(`${day}/${id}`, id));
    }
  }
  return entries;
}

/** "20261128-195555": what comes after it in an id is in no order. */
const SECOND_CHARS = 15;

function newestFirst(day: string, ids: readonly string[]): readonly string[] {
  const known = new Map<string, number>();
  const endedMs = (id: string): number => {
    const ms = known.get(id) ??
      ifPresentSync(() => Deno.lstatSync(`${day}/${id}`))?.mtime?.getTime() ?? 0;
    known.set(id, ms);
    return ms;
  };
  return ids.toSorted((a, b) => {
    const [ofA, ofB] = [a.slice(0, SECOND_CHARS), b.slice(0, SECOND_CHARS)];
    return ofA === ofB ? endedMs(b) - endedMs(a) : ofA < ofB ? 1 : -1;
  });
}

export interface StoredAnswer extends HistoryEntry {
  readonly out: Bytes;
  readonly err: Bytes;
}

/** undefined if there is no such entry. @param maxBytes of either stream */
export async function readHistory(
  layout: Layout,
  id: RequestId,
  maxBytes: number,
): Promise<StoredAnswer | undefined> {
  for (const day of await days(layout)) { // the original filed by the day on which it ended
    const folder = `${day}/${id}`;
    if (await ifPresent(Deno.lstat(folder)) === undefined) continue;
    return {
      ...await readEntry(folder, id),
      out: await readPart(folder, "out", maxBytes) ?? new Uint8Array(0),
      err: await readPart(folder, "err", maxBytes) ?? new Uint8Array(0),
    };
  }
  return undefined;
}

/** The folders of the days, newest first. */
async function days({ history }: Layout): Promise<readonly string[]> {
  const names = (await namesIn(history)).filter((name) => /^[0-9]{4}(-[0-9]{2}){2}$/.test(name));
  return names.sort().reverse().map((name) => `${history}/${name}`);
}

/** What the files say of a request. @param metaPath where its outcome is */
export async function readEntry(
  folder: string,
  id: RequestId,
  metaPath = `${folder}/meta`,
): Promise<HistoryEntry> {
  const meta = asLatin1(await ifPresent(readSmall(metaPath, MAX_META_BYTES)) ?? new Uint8Array(0));
  const command = await readPart(folder, "command", MAX_COMMAND_BYTES);
  const field = (name: string): string | null =>
    new RegExp(`^${name}=([A-Za-z0-9:.-]{1,64})$`, "m").exec(meta)?.[1] ?? null;
  const number = (text: string | null) => text === null || !/^-?[0-9]+$/.test(text) ? null : +text;
  return {
    id,
    outcome: field("outcome"),
    exitCode: number(field("exit_code")),
    limit: number(field("limit")),
    left: number(field("left")),
    durationMs: number(field("duration_ms")),
    started: field("started"),
    untrustedCommand: command === undefined ? null : new TextDecoder().decode(command),
  };
}

async function readPart(
  folder: string,
  part: ResultPart | "command",
  maxBytes: number,
): Promise<Bytes | undefined> {
  return await ifPresent(readSmall(`${folder}/${part}`, maxBytes));
}
