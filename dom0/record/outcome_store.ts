// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What dom0 keeps of a request until the VM has acknowledged its outcome, so that a stream that
 * breaks, or a daemon that dies, loses nothing. In outcomes/<vm>/:
 *
 *     <id>.request   the request's digest, nonce and protocol: dom0 will answer it
 *     <id>.out .err  output, written as it comes
 *     <id>.meta      the outcome, by rename: the command has ended
 *
 * The calls are synchronous: each is a few microseconds of page cache, and order matters more.
 * Nothing here waits for the disk. If a power cut loses some of it, the ledger still knows that the
 * request was taken, and it is answered as interrupted.
 *
 * @module
 */

import { writeAll } from "../../shared/cli/program.ts";
import { newSha256, type Sha256 } from "../../shared/io/sha256.ts";
import {
  isPresent,
  readIfPresent,
  removeIfPresent,
  replaceFile,
} from "../../shared/io/sync_files.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import {
  encodeMeta,
  EXIT_OF_KIND,
  type Outcome,
  parseMeta,
  type StreamSummary,
} from "../../shared/protocol/outcome.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseV1Id, type RequestId } from "../../shared/protocol/request_id.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

type Identity = Pick<AuthenticRequest, "vm" | "id" | "nonce" | "digest" | "protocol">;

/** The output of one command, on disk. */
export interface Spool {
  append(stream: StreamNumber, bytes: Uint8Array): void;
  /** At most that many bytes from the offset on, valid until the next read; empty at the end. */
  read(stream: StreamNumber, offset: number, maxBytes: number): Uint8Array;
  length(stream: StreamNumber): number;
  summary(stream: StreamNumber): StreamSummary;
  close(): void;
}

/** A request that an earlier daemon took, and its outcome. */
export interface KeptRequest {
  readonly request: Identity;
  readonly outcome: Outcome;
  readonly keptSinceMs: number;
  /** The command was running, or waiting to, when the daemon ended. */
  readonly wasInterrupted: boolean;
}

export interface OutcomeStore {
  /** Says that dom0 will answer this request. */
  begin(request: Identity): Spool;
  finish(vm: VmName, outcome: Outcome): void;
  /** Opens the output of a kept request again. */
  reopen(vm: VmName, id: RequestId): Spool;
  forget(vm: VmName, id: RequestId): void;
  /** All that is kept. A request without an outcome was interrupted, and gets that outcome now. */
  recover(): KeptRequest[];
}

export function createOutcomeStore(folder: string): OutcomeStore {
  const base = (vm: VmName, id: RequestId): string => `${folder}/${vm}/${id}`;
  const finish = (vm: VmName, outcome: Outcome): void => {
    replaceFile(`${base(vm, outcome.id)}.meta`, encodeMeta(outcome));
  };
  return {
    begin(request) {
      Deno.mkdirSync(`${folder}/${request.vm}`, { recursive: true, mode: 0o700 });
      const { digest, nonce, protocol } = request;
      replaceFile(`${base(request.vm, request.id)}.request`, `${protocol} ${nonce} ${digest}\n`);
      return openSpool(base(request.vm, request.id), "new");
    },
    finish,
    reopen: (vm, id) => openSpool(base(vm, id)),
    forget: (vm, id) => removeAll(base(vm, id)),
    recover() {
      const kept: KeptRequest[] = [];
      for (const { name, isDirectory } of readFolder(folder)) {
        const vm = isDirectory ? orNull(() => parseVmName(name)) : null;
        if (vm === null) continue; // not ours
        const ids = readFolder(`${folder}/${vm}`).map((entry) => idOfFile(entry.name));
        for (const id of new Set(ids)) {
          const one = id === null ? null : recoverOne(vm, id, base, finish);
          if (one !== null) kept.push(one);
        }
      }
      return kept;
    },
  };
}

/** The request first: while it is there, the outcome is owed. */
const FILES_OF_ONE = ["request", "out", "err", "meta"] as const;
const FILE_NAME = /^(.+)\.(?:request|out|err|meta)(?:\.new)?$/;
const REQUEST = /^([12]) ([0-9a-f]{32}|-) ([0-9a-f]{64})\n$/;

function idOfFile(name: string): RequestId | null {
  return orNull(() => parseV1Id(FILE_NAME.exec(name)?.[1] ?? ""));
}

function removeAll(path: string): void {
  for (const end of FILES_OF_ONE) removeIfPresent(`${path}.${end}`);
}

/** null: left over by a crash from a request that was answered, or not yet taken. */
function recoverOne(
  vm: VmName,
  id: RequestId,
  base: (vm: VmName, id: RequestId) => string,
  finish: (vm: VmName, outcome: Outcome) => void,
): KeptRequest | null {
  const path = base(vm, id);
  for (const end of FILES_OF_ONE) removeIfPresent(`${path}.${end}.new`);
  // A power cut may leave a file empty.
  const text = new TextDecoder().decode(readIfPresent(`${path}.request`));
  const [, protocol, nonce = "", digest = ""] = REQUEST.exec(text) ?? [];
  if (protocol === undefined) {
    removeAll(path);
    return null;
  }
  const request: Identity = { vm, id, nonce, digest, protocol: protocol === "1" ? 1 : 2 };
  const keptSinceMs = Deno.statSync(`${path}.request`).mtime?.getTime() ?? 0;
  const meta = readIfPresent(`${path}.meta`);
  const ended = meta === undefined ? null : orNull(() => parseMeta(meta));
  const spool = openSpool(path);
  const outcome = interruptedOutcome(id, nonce, spool);
  spool.close();
  // After a power cut the outcome may be there and part of its output lost.
  if (ended !== null && isSame(ended.out, outcome.out) && isSame(ended.err, outcome.err)) {
    return { request, outcome: ended, keptSinceMs, wasInterrupted: false };
  }
  finish(vm, outcome);
  return { request, outcome, keptSinceMs, wasInterrupted: true };
}

/** How it ended is not known: it may have run, and its output up to then is kept. */
export function interruptedOutcome(
  id: RequestId,
  nonce: string,
  spool: Pick<Spool, "summary">,
): Outcome {
  return {
    id,
    nonce,
    kind: "interrupted",
    reason: null,
    exitCode: EXIT_OF_KIND.interrupted,
    startedAtMs: null,
    durationMs: 0,
    out: spool.summary(1),
    err: spool.summary(2),
  };
}

function isSame(one: StreamSummary, other: StreamSummary): boolean {
  return one.bytes === other.bytes && one.sha256 === other.sha256;
}

interface SpoolFile {
  readonly file: Deno.FsFile;
  readonly hash: Sha256;
  length: number;
}

/** Hashes and counts what is there already, so a reopened spool goes on where it was. */
function openSpool(base: string, age: "new" | "kept" = "kept"): Spool {
  const files = new Map<StreamNumber, SpoolFile>();
  const pathOf = (stream: StreamNumber): string => `${base}.${stream === 1 ? "out" : "err"}`;
  let read = new Uint8Array(0); // grows to the largest frame: memory for each would be much to collect
  const open = (stream: StreamNumber): SpoolFile => {
    const file = Deno.openSync(pathOf(stream), {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
    const opened = { file, hash: newSha256(), length: 0 };
    const buffer = new Uint8Array(64 * 1024);
    for (let got; (got = file.readSync(buffer)) !== null;) {
      opened.hash.update(buffer.subarray(0, got));
      opened.length += got;
    }
    files.set(stream, opened);
    return opened;
  };
  // Most commands print nothing on one stream or on both: then there is no file.
  for (const stream of [1, 2] as const) {
    if (age === "kept" && isPresent(pathOf(stream))) open(stream);
  }

  return {
    append(stream, bytes) {
      if (bytes.length === 0) return;
      const to = files.get(stream) ?? open(stream);
      to.file.seekSync(to.length, Deno.SeekMode.Start);
      try {
        writeAll(to.file, bytes);
      } catch (error) { // a full disk took a part: a reopened spool must not count it
        to.file.truncateSync(to.length);
        throw error;
      }
      to.hash.update(bytes);
      to.length += bytes.length;
    },
    read(stream, offset, maxBytes) {
      const from = files.get(stream);
      if (from === undefined || offset >= from.length) return new Uint8Array(0);
      const bytes = Math.min(maxBytes, from.length - offset);
      if (read.length < bytes) read = new Uint8Array(bytes);
      from.file.seekSync(offset, Deno.SeekMode.Start);
      return read.subarray(0, from.file.readSync(read.subarray(0, bytes)) ?? 0);
    },
    length: (stream) => files.get(stream)?.length ?? 0,
    summary(stream) {
      const { length = 0, hash = newSha256() } = files.get(stream) ?? {};
      return { bytes: length, sha256: hash.copy().digest("hex") };
    },
    close() {
      for (const { file } of files.values()) file.close();
      files.clear();
    },
  };
}

/** null instead of a ProtocolError. */
function orNull<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

function readFolder(path: string): Deno.DirEntry[] {
  return isPresent(path) ? [...Deno.readDirSync(path)] : [];
}
