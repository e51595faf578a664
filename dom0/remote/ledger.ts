// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The ledger of taken requests: why nothing runs twice. A request is on the disk here before
 * anything of it runs. Entries leave when a request that old would be refused by its date.
 *
 * One line an entry: TIME-MS PROTOCOL VM ID, in order of time. Many requests share one sync.
 *
 * @module
 */

import { ifPresent, writeAtomically, writeFully } from "../../shared/io/files.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { rememberForMs } from "../../shared/protocol/freshness.ts";

/** The file is written anew when it has this many lines more than are still needed. */
const SLACK_LINES = 4096;
/**
 * Entries of one VM: at some 150 bytes each, what a VM may cost. A VM that has 200 commands run
 * each second needs 72,000 for protocol 2.
 */
const MAX_ENTRIES_PER_VM = 100_000;
const LINE = /^([0-9]{1,15}) ([12]) ([^ ]+) ([^ ]+)$/;

export interface Ledger {
  has(request: Pick<AuthenticRequest, "vm" | "id">): boolean;
  /** Remembers at once, resolves when it is on the disk. Rejects if the disk refused: do not run. */
  add(request: Pick<AuthenticRequest, "vm" | "id" | "protocol">): Promise<void>;
  size(): number;
  /** Whether so much is remembered of this VM that it has to wait until some is forgotten. */
  isFull(vm: VmName): boolean;
  close(): void;
}

/** What the ledger needs of a disk; tests make each call fail in turn. */
export interface LedgerDisk {
  read(): Promise<string>;
  append(text: string): Promise<void>;
  replace(text: string): Promise<void>;
  close(): void;
}

export async function openLedger(disk: LedgerDisk, nowMs: () => number): Promise<Ledger> {
  // Insertion order is order of time, one map for each time span.
  const taken = new Map<1 | 2, Map<string, number>>([[1, new Map()], [2, new Map()]]);
  const of = (protocol: 1 | 2): Map<string, number> => taken.get(protocol) ?? new Map();
  const size = (): number => of(1).size + of(2).size;
  const perVm = new Map<string, number>();
  const remember = (protocol: 1 | 2, vm: string, id: string, atMs: number): void => {
    const key = `${vm} ${id}`;
    if (!of(protocol).has(key)) perVm.set(vm, (perVm.get(vm) ?? 0) + 1);
    of(protocol).set(key, atMs);
  };
  const forget = (protocol: 1 | 2, key: string): void => {
    const vm = key.slice(0, key.indexOf(" "));
    const left = (perVm.get(vm) ?? 0) - 1;
    if (left > 0) perVm.set(vm, left);
    else perVm.delete(vm);
    of(protocol).delete(key);
  };
  const keyOf = (request: Pick<AuthenticRequest, "vm" | "id">): string =>
    `${request.vm} ${request.id}`;

  const forgetOld = (): void => {
    for (const protocol of [1, 2] as const) {
      const oldest = nowMs() - rememberForMs(protocol);
      for (const [key, atMs] of of(protocol)) {
        if (atMs >= oldest) break;
        forget(protocol, key);
      }
    }
  };
  const wholeText = (): string => {
    const lines = [1, 2].flatMap((protocol) =>
      [...of(protocol as 1 | 2)].map(([key, atMs]) => `${atMs} ${protocol} ${key}\n`)
    );
    return lines.join("");
  };

  let fileLines = 0;
  const text = await disk.read();
  // What follows the last newline was cut off by a crash: nothing of it ran.
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const [, atMs, protocol, vm, id] = LINE.exec(line) ?? [];
    if (atMs === undefined || vm === undefined || id === undefined) continue;
    remember(protocol === "1" ? 1 : 2, vm, id, Number(atMs));
  }
  forgetOld();
  await disk.replace(wholeText());
  fileLines = size();

  let waiting: { line: string; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let writing = false;
  const writeWaiting = async (): Promise<void> => {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        forgetOld();
        fileLines += batch.length;
        // The batch is in the maps already, so a rewritten file holds it too.
        if (fileLines > size() + SLACK_LINES) {
          fileLines = size();
          await disk.replace(wholeText());
        } else {
          await disk.append(batch.map(({ line }) => line).join(""));
        }
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // A line may have been cut in its middle: the next one must not be joined to it.
        fileLines = Infinity;
        for (const { reject } of batch) reject(error);
      }
    }
    writing = false;
  };

  return {
    has: (request) => of(1).has(keyOf(request)) || of(2).has(keyOf(request)),
    add(request) {
      const atMs = nowMs();
      remember(request.protocol, request.vm, request.id, atMs);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ line: `${atMs} ${request.protocol} ${keyOf(request)}\n`, resolve, reject });
      if (!writing) writeWaiting();
      return promise;
    },
    size,
    isFull(vm) {
      if ((perVm.get(vm) ?? 0) < MAX_ENTRIES_PER_VM) return false;
      forgetOld();
      return (perVm.get(vm) ?? 0) >= MAX_ENTRIES_PER_VM;
    },
    close: () => disk.close(),
  };
}

export function ledgerFile(path: string): LedgerDisk {
  let file: Deno.FsFile | null = null;
  return {
    async read() {
      return await ifPresent(Deno.readTextFile(path)) ?? "";
    },
    async append(text) {
      file ??= await Deno.open(path, { append: true, create: true, mode: 0o600 });
      await writeFully(file, new TextEncoder().encode(text));
      await file.syncData();
    },
    async replace(text) {
      file?.close();
      file = null;
      await writeAtomically(path, text, { sync: true });
    },
    close() {
      file?.close();
      file = null;
    },
  };
}

/** For --dry-run: knows what was taken, and leaves the file alone. */
export function readOnly(disk: LedgerDisk): LedgerDisk {
  const nothing = (): Promise<void> => Promise.resolve();
  return { ...disk, append: nothing, replace: nothing };
}
