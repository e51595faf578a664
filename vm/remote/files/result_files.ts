// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An answer as files: out and err grow while the command runs, then come meta and mac, and exit
 * by rename, last: if exit is there, the answer is whole. Everything here can be repeated after a crash
 * at any point, with the same result.
 *
 * @module
 */

import { writeAll } from "../../../shared/cli/program.ts";
import { toHex } from "../../../shared/protocol/bytes.ts";
import type { StreamNumber } from "../../../shared/protocol/message.ts";
import {
  EMPTY_STREAM,
  encodeMeta,
  EXIT_OF_KIND,
  type Outcome,
} from "../../../shared/protocol/outcome.ts";
import type { RefusalReason } from "../../../shared/protocol/refusal.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { ifPresentSync } from "../../../shared/io/sync_files.ts";
import {
  historyFolder,
  type Layout,
  parkedPath,
  payloadPath,
  resultPath,
  sentPath,
} from "./layout.ts";
import { attempt, OutputGoneError } from "./local_failure.ts";
import { clear, isPlain, openPlain, writePlain } from "./plain_file.ts";

/** Whether the request has its whole answer, here or, taken by its client, in the history. */
export function isAnswered(layout: Layout, id: RequestId): boolean {
  if (isPlain(resultPath(layout, id, "exit"))) return true;
  let inHistory = false; // a history that cannot be read holds no answer
  const path = `${historyFolder(layout, id)}/exit`;
  attempt(() => inHistory = ifPresentSync(() => Deno.lstatSync(path))?.isFile ?? false);
  return inHistory;
}

/** Tells the client whether a person in dom0 has to decide. It is only a hint. */
export function showParked(layout: Layout, id: RequestId, isParked: boolean): void {
  const path = parkedPath(layout, id);
  attempt(() => isParked ? writePlain(layout, path, "") : clear(layout, path));
}

/** Opens a stream's file. Bytes of an earlier session stay: the same ones come again. */
export function openOutput(layout: Layout, id: RequestId, stream: StreamNumber): Deno.FsFile {
  return openPlain(layout, outputPath(layout, id, stream));
}

/**
 * Gives up the output: others need the space, and part of it is of no use. (Removing the files would
 * free nothing while a client has them open.)
 */
export function dropOutput(layout: Layout, id: RequestId): void {
  for (const stream of [1, 2] as const) {
    attempt(() => {
      using file = openOutput(layout, id, stream);
      file.truncateSync(0);
    });
  }
}

function outputPath(layout: Layout, id: RequestId, stream: StreamNumber): string {
  return resultPath(layout, id, stream === 1 ? "out" : "err");
}

/**
 * Publishes an outcome whose output is in its files.
 *
 * @param mac null: nobody signed it
 * @param note goes below stderr: for a client of protocol 1, and where dom0 said nothing
 * @throws {OutputGoneError} if output is missing
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
  writePlain(layout, resultPath(layout, id, "meta"), encodeMeta(outcome));
  const macPath = resultPath(layout, id, "mac");
  if (mac === null) clear(layout, macPath); // what lies there speaks of another outcome
  else writePlain(layout, macPath, toHex(mac));
  const temporary = `${layout.queue}/.${id}.exit`;
  writePlain(layout, temporary, String(outcome.exitCode));
  const exitPath = resultPath(layout, id, "exit");
  if (!isPlain(exitPath)) clear(layout, exitPath);
  Deno.renameSync(temporary, exitPath);
  clear(layout, sentPath(layout, id));
  showParked(layout, id, false); // only now: a refusal must not be taken for an approval
}

/** Forgets a request that is answered: it is not sent again. */
export function forgetRequest(layout: Layout, id: RequestId): void {
  clear(layout, `${layout.running}/${id}`);
  clear(layout, `${layout.running}/${id}.auth`);
  clear(layout, `${layout.cancel}/${id}`);
  dropPayload(layout, id);
}

/** Removes what a request brings, a file or the chunks of a live stream. */
export function dropPayload(layout: Layout, id: RequestId): void {
  const path = payloadPath(layout, id);
  const remove = () => ifPresentSync(() => Deno.removeSync(path, { recursive: true }));
  if (attempt(() => void remove()) !== null) clear(layout, path);
}

/** Tells the client how much of its payload is on its way. It is only a hint. */
export function showSent(layout: Layout, id: RequestId, bytes: number): void {
  attempt(() => writePlain(layout, sentPath(layout, id), String(bytes)));
}

/** What the VM side itself can answer; "refused" needs a reason. */
export type LocalOutcome =
  | { readonly kind: "refused"; readonly reason: RefusalReason }
  | { readonly kind: "cancelled" | "interrupted" | "not-stored"; readonly reason: null };

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
      id,
      nonce,
      kind,
      reason,
      exitCode: EXIT_OF_KIND[kind],
      startedAtMs: null,
      durationMs: 0,
      out: EMPTY_STREAM,
      err: EMPTY_STREAM,
    },
    null,
    text,
  );
}

/** Cuts off what an earlier session left after the end. */
function setLength(
  layout: Layout,
  id: RequestId,
  stream: StreamNumber,
  bytes: number,
  note: string,
): void {
  using file = openOutput(layout, id, stream);
  const { size } = file.statSync();
  if (size < bytes) throw new OutputGoneError("its output was removed while it ran");
  if (size > bytes) file.truncateSync(bytes);
  if (note === "") return;
  file.seekSync(0, Deno.SeekMode.End);
  writeAll(file, note);
}
