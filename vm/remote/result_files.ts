// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An answer as files: out and err grow while the command runs, then come meta and mac, and exit
 * by rename, last: who sees exit sees a whole answer. Everything here can be done again after a
 * crash at any point and ends the same.
 *
 * @module
 */

import { PRIVATE_FILE } from "../../shared/io/files.ts";
import { writeAll } from "../../shared/io/program.ts";
import { toHex } from "../../shared/protocol/bytes.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import {
  EMPTY_STREAM,
  encodeMeta,
  EXIT_OF_KIND,
  type Outcome,
} from "../../shared/protocol/outcome.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { historyFolder, type Layout, resultPath } from "./layout.ts";
import { isPresent, removeIfPresent } from "../../shared/io/sync_files.ts";

/** Whether the request has its whole answer, here or, taken by its client, in the history. */
export function isAnswered(layout: Layout, id: RequestId): boolean {
  return isPresent(resultPath(layout, id, "exit")) ||
    isPresent(`${historyFolder(layout, id)}/exit`);
}

/** Opens a stream's file. A rest of an earlier session stays: the same bytes come again. */
export function openOutput(layout: Layout, id: RequestId, stream: StreamNumber): Deno.FsFile {
  const path = resultPath(layout, id, stream === 1 ? "out" : "err");
  return Deno.openSync(path, { write: true, create: true, mode: PRIVATE_FILE });
}

/**
 * Publishes an outcome whose output is in its files.
 *
 * @param mac null: nobody signed it
 * @param note goes below stderr: for a client of protocol 1, and where dom0 said nothing
 * @throws {Error} if output is missing: it comes again in the next session
 */
export function publishOutcome(
  layout: Layout,
  outcome: Outcome,
  mac: Uint8Array | null,
  note = "",
): void {
  const { id } = outcome;
  setLength(layout, id, 1, outcome.out.bytes, "");
  setLength(layout, id, 2, outcome.err.bytes, note);
  writePlainly(resultPath(layout, id, "meta"), encodeMeta(outcome));
  if (mac !== null) writePlainly(resultPath(layout, id, "mac"), toHex(mac));
  const temporary = `${layout.queue}/.${id}.exit`;
  writePlainly(temporary, String(outcome.exitCode));
  Deno.renameSync(temporary, resultPath(layout, id, "exit"));
}

/** Forgets a request that is answered: it is not sent again. */
export function forgetRequest(layout: Layout, id: RequestId): void {
  removeIfPresent(`${layout.running}/${id}`);
  removeIfPresent(`${layout.running}/${id}.auth`);
  removeIfPresent(`${layout.cancel}/${id}`);
}

/** What the VM side itself can answer; "refused" needs a reason. */
export type LocalOutcome =
  | { readonly kind: "refused"; readonly reason: RefusalReason }
  | { readonly kind: "cancelled" | "interrupted"; readonly reason: null };

/**
 * Answers a request that dom0 never gave an outcome for, without a MAC, the reason in err.
 * Does nothing if it has its answer.
 */
export function answerLocally(
  layout: Layout,
  id: RequestId,
  nonce: string,
  { kind, reason }: LocalOutcome,
  text: string,
): void {
  if (isAnswered(layout, id)) return;
  publishOutcome(
    layout,
    {
      ...{ id, nonce, kind, reason, exitCode: EXIT_OF_KIND[kind], startedAtMs: null },
      ...{ durationMs: 0, out: EMPTY_STREAM, err: EMPTY_STREAM },
    },
    null,
    text,
  );
}

/** Cuts off what an earlier session left behind the end. */
function setLength(
  layout: Layout,
  id: RequestId,
  stream: StreamNumber,
  bytes: number,
  note: string,
): void {
  using file = openOutput(layout, id, stream);
  const { size } = file.statSync();
  if (size < bytes) throw new Error(`output of ${id} was removed while it ran`);
  if (size > bytes) file.truncateSync(bytes);
  if (note === "") return;
  file.seekSync(0, Deno.SeekMode.End);
  writeAll(file, note);
}

function writePlainly(path: string, data: string | Uint8Array): void {
  const options = { write: true, create: true, truncate: true, mode: PRIVATE_FILE };
  using file = Deno.openSync(path, options);
  writeAll(file, data);
}
