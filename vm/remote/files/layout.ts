// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Where the VM side keeps its files. Folders are 0700, files 0600.
 *
 *     ~/.qvm-remote/auth.key            the key shared with dom0
 *                   name                what dom0 calls this VM
 *                   audit.log           what was asked and answered here
 *                   formats             in which form all of this is: see state_formats.ts
 *                   queue/pending/ID    a request that dom0 has not taken
 *                   queue/running/ID    a request that was sent, or is about to be
 *                   queue/results/ID.*  out, err (growing), meta, mac, and exit, last;
 *                                       parked while a person in dom0 is to decide,
 *                                       sent: how much of its payload dom0 has
 *                   queue/payloads/ID   what the request ID brings, until it has its answer; of a
 *                                       live stream the chunks that are on their way: live/chunk_folder.ts
 *                   queue/cancel/ID     the client wants this request to end
 *                   queue/refused/      entries that are no request
 *                   queue/.lock         held by the one service that serves the queue
 *                   queue/.connected    held by it while dom0 is connected
 *                   history/YYYY-MM-DD/ID/
 *                   detached/ID         what it takes to believe an answer that is fetched later
 *                   migration.json      what "migrate" changed
 *
 * @module
 */

import { exists, ifPresent, makePrivateFolder } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { type RequestId, requestIdTimeMs } from "../../../shared/protocol/request_id.ts";
import { noteState } from "./state_formats.ts";

/** Absolute paths, nothing else. */
export interface Layout {
  readonly base: string;
  /** The folder's name before it was ~/.qvm-remote. */
  readonly legacyBase: string;
  readonly key: string;
  readonly name: string;
  readonly audit: string;
  readonly formats: string;
  readonly queue: string;
  readonly pending: string;
  readonly running: string;
  readonly results: string;
  readonly cancel: string;
  readonly payloads: string;
  readonly refused: string;
  readonly lock: string;
  readonly connected: string;
  readonly history: string;
  readonly detached: string;
  readonly migration: string;
}

/** @throws {UserError} if HOME is not an absolute path */
export function layoutOf(home: string | undefined): Layout {
  if (home === undefined || !home.startsWith("/")) throw new UserError("HOME is not set");
  return layoutIn(`${home}/.qvm-remote`, `${home}/.qubes-remote`);
}

/** The same files while the folder has its older name. */
export function legacyLayout({ legacyBase }: Layout): Layout {
  return layoutIn(legacyBase, legacyBase);
}

function layoutIn(base: string, legacyBase: string): Layout {
  const queue = `${base}/queue`;
  return {
    base,
    legacyBase,
    key: `${base}/auth.key`,
    name: `${base}/name`,
    audit: `${base}/audit.log`,
    formats: `${base}/formats`,
    queue,
    pending: `${queue}/pending`,
    running: `${queue}/running`,
    results: `${queue}/results`,
    cancel: `${queue}/cancel`,
    payloads: `${queue}/payloads`,
    refused: `${queue}/refused`,
    lock: `${queue}/.lock`,
    connected: `${queue}/.connected`,
    history: `${base}/history`,
    detached: `${base}/detached`,
    migration: `${base}/migration.json`,
  };
}

const PREPARED = [
  "base",
  "queue",
  "pending",
  "running",
  "results",
  "cancel",
  "payloads",
] as const;

/** Makes what is missing, closes what was left open, and takes over the folder's old name. */
export async function prepareFolders(layout: Layout): Promise<void> {
  await adoptLegacyFolder(layout);
  for (const folder of PREPARED) await makePrivateFolder(layout[folder]);
  await noteState(layout);
}

/** Renames the old folder if only that one exists. */
export async function adoptLegacyFolder({ base, legacyBase }: Layout): Promise<void> {
  if (await exists(base) || !await exists(legacyBase)) return;
  await ifPresent(Deno.rename(legacyBase, base)); // absent: another program was faster
}

/**
 * The folder that a request is archived in. The day is the one in the id, so that anyone who
 * has the id finds it without a search.
 */
export function historyFolder({ history }: Layout, id: RequestId): string {
  return `${history}/${new Date(requestIdTimeMs(id)).toISOString().slice(0, 10)}/${id}`;
}

/** The suffixes of a request's files in results/, in the order in which they are written. */
export const RESULT_PARTS = ["out", "err", "meta", "mac", "exit"] as const;
export type ResultPart = typeof RESULT_PARTS[number];

export function detachedPath({ detached }: Layout, id: RequestId): string {
  return `${detached}/${id}`;
}

/** Lies there while a person in dom0 is to decide, and no longer than until there is an answer. */
export function parkedPath({ results }: Layout, id: RequestId): string {
  return `${results}/${id}.parked`;
}

/** A decimal, that of the last time somebody looked; gone when there is an answer. */
export function sentPath({ results }: Layout, id: RequestId): string {
  return `${results}/${id}.sent`;
}

export function payloadPath({ payloads }: Layout, id: RequestId): string {
  return `${payloads}/${id}`;
}

export function resultPath({ results }: Layout, id: RequestId, part: ResultPart): string {
  return `${results}/${id}.${part}`;
}
