// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What requests bring, on dom0's disk until they have ended. In payloads/:
 *
 *     <vm>-<sha256>.part   as far as it has come. It outlives a session, its request and the daemon:
 *                          whoever brings the same again goes on where it ended
 *     <vm>-<id>.payload    all of it, with the hash that was signed
 *
 * There is room for all of it before the first byte is asked for, or it is refused. What a full disk
 * cut off, and what is not what was signed, is removed at once; other parts after an hour.
 *
 * @module
 */

import { writeAll } from "../../shared/cli/program.ts";
import { hashRest, newSha256, type Sha256 } from "../../shared/io/sha256.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import { isPresent, removeIfPresent } from "../../shared/io/sync_files.ts";
import type { Payload } from "../../shared/protocol/payload.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { FreeBytes } from "./free_bytes.ts";

/** dom0's own: a VM cannot fill the disk to its end. */
const KEPT_FREE_BYTES = 512 * 1024 * 1024;
const KEEP_PART_MS = 3600 * 1000;

/** It cannot be taken. The message is for whoever sent it. */
export class PayloadRefused extends Error {
  override readonly name = "PayloadRefused";
}

export interface PayloadFile {
  readonly path: string;
  /** Bytes that are here. */
  length(): number;
  /** @throws {PayloadRefused} a full disk; nothing of it is left */
  append(bytes: Uint8Array): void;
  /** All of it is here. @throws {PayloadRefused} it is not what was signed, and is gone */
  seal(): void;
  /** The part stays for whoever brings the same again. */
  leave(): void;
  drop(): void;
}

export interface PayloadStore {
  /** @throws {PayloadRefused} it is too large, or there is no room */
  open(owner: Owner, payload: Payload): Promise<PayloadFile>;
  /** Removes parts that nobody came back for. */
  forgetOld(): void;
}

export interface Owner {
  readonly vm: VmName;
  readonly id: RequestId;
}

export interface PayloadStoreOptions {
  readonly folder: string;
  /** Of one VM at one time. */
  readonly maxBytes: () => number;
  readonly freeBytes: FreeBytes;
  readonly dateMs: () => number;
  readonly keptFreeBytes?: number;
}

interface Held extends Owner {
  readonly bytes: number;
  readonly part: string;
  /** Of it, on the disk. */
  here: number;
}

/** What an earlier daemon was to run is gone with it; its parts stay. */
export function createPayloadStore(options: PayloadStoreOptions): PayloadStore {
  const { folder, keptFreeBytes = KEPT_FREE_BYTES } = options;
  const held = new Set<Held>();
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".part")) Deno.removeSync(`${folder}/${name}`, { recursive: true });
  }
  const parts = (): string[] =>
    [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`)
      .filter((path) => path.endsWith(".part") && ![...held].some(({ part }) => part === path));
  return {
    async open(owner, payload) {
      const { vm, id } = owner;
      const { bytes, sha256 } = payload;
      const own = `${folder}/${vm}-${sha256}.part`;
      // The same twice at once: the second is on its own.
      const isTaken = [...held].some(({ part }) => part === own);
      const part = isTaken ? `${folder}/${vm}-${id}.part` : own;
      const one: Held = { vm, id, bytes, part, here: 0 };
      const ofVm = [...held].filter((other) => other.vm === vm);
      refuseTooLarge(bytes, sum(ofVm.map((other) => other.bytes)), options.maxBytes());
      held.add(one);
      try {
        for (const path of parts()) if (path.startsWith(`${folder}/${vm}-`)) removeIfPresent(path);
        const hash = await resume(one);
        const missing = sum([...held].map((other) => other.bytes - other.here));
        if (await options.freeBytes(folder) - missing < keptFreeBytes) {
          throw new PayloadRefused(`dom0 has no room for ${bytes} bytes`);
        }
        return openFile(one, payload, hash, folder, () => held.delete(one));
      } catch (error) {
        held.delete(one);
        removeIfPresent(part);
        throw error;
      }
    },
    forgetOld() {
      for (const path of parts()) {
        const { mtime } = Deno.statSync(path);
        if (options.dateMs() - (mtime?.getTime() ?? 0) > KEEP_PART_MS) removeIfPresent(path);
      }
    },
  };
}

function refuseTooLarge(bytes: number, others: number, maxBytes: number): void {
  if (bytes > maxBytes) {
    throw new PayloadRefused(
      `${bytes} bytes are more than dom0 takes: QVM_REMOTE_MAX_PAYLOAD is ${maxBytes}`,
    );
  }
  if (bytes + others > maxBytes) {
    throw new PayloadRefused(
      `${bytes} bytes and the ${others} that other requests of this VM bring are more than ` +
        `QVM_REMOTE_MAX_PAYLOAD: ${maxBytes}`,
    );
  }
}

/** Hashes what an earlier request left. */
async function resume(one: Held): Promise<Sha256> {
  const hash = newSha256();
  if (!isPresent(one.part)) return hash;
  using file = Deno.openSync(one.part, { read: true });
  await hashRest(hash, file, (bytes) => one.here += bytes);
  if (one.here <= one.bytes) return hash;
  removeIfPresent(one.part);
  one.here = 0;
  return newSha256();
}

function openFile(
  one: Held,
  { bytes, sha256 }: Payload,
  hash: Sha256,
  folder: string,
  onEnd: () => void,
): PayloadFile {
  const path = `${folder}/${one.vm}-${one.id}.payload`;
  const file = Deno.openSync(one.part, { append: true, create: true, mode: PRIVATE_FILE });
  let open = true;
  const close = (): void => {
    if (open) file.close();
    open = false;
  };
  const drop = (): void => {
    close();
    onEnd();
    removeIfPresent(one.part);
    removeIfPresent(path);
  };
  return {
    path,
    length: () => one.here,
    append(chunk) {
      try {
        writeAll(file, chunk);
      } catch {
        drop();
        throw new PayloadRefused("dom0 could not store it: its disk is full");
      }
      hash.update(chunk);
      one.here += chunk.length;
    },
    seal() {
      close();
      if (one.here !== bytes || hash.digest("hex") !== sha256) {
        drop();
        throw new PayloadRefused("it was changed after it was signed: its hash is another one");
      }
      Deno.renameSync(one.part, path);
    },
    leave() {
      close();
      onEnd();
    },
    drop,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
