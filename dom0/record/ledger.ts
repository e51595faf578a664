// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The ledger of taken requests: why nothing runs twice. A request is on the disk here before
 * anything of it runs. Many requests share one sync.
 *
 * A second file, "ledger.dates", says on which dates something was taken, some time ahead, so that
 * it is written once a minute. A ledger that is missing or cut short while that file says there was
 * one is not silently replaced by an empty one: requests of those dates are refused.
 *
 * @module
 */

import { durableWrite } from "../../shared/io/durable.ts";
import { ifPresent, writeFully } from "../../shared/io/files.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { firstDateAfter } from "../../shared/protocol/freshness.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { overlapping, withRange } from "./date_ranges.ts";
import {
  answeredLine,
  createLedgerMemory,
  entryLine,
  type LedgerMemory,
  parseRanges,
  type Protocol,
  PROTOCOLS,
  type RangesByProtocol,
  rangesText,
  type Taken,
} from "./ledger_memory.ts";

/** The file is rewritten when it has this many lines more than it needs. */
const SLACK_LINES = 4096;
/**
 * The most entries of one VM, at some 150 bytes each. A VM that runs 200 commands each second needs
 * 72,000 with protocol 2.
 */
const MAX_ENTRIES_PER_VM = 100_000;
/** "ledger.dates" is written so far ahead. If the ledger is lost, requests are refused as long. */
const AHEAD_MS = 60_000;

export interface Ledger {
  has(request: Pick<Taken, "vm" | "id">): boolean;
  /** Why this request must not run: it was taken, or may have been taken and forgotten. */
  objection(
    request: Pick<AuthenticRequest, "vm" | "id" | "protocol" | "issuedAtMs">,
  ): RefusalReason | null;
  /** Whether this very request was taken and its VM has not acknowledged an outcome. */
  owes(request: Taken): boolean;
  /** The VM has acknowledged it. Not synced: if that is lost, the outcome is owed again. */
  answered(request: Pick<Taken, "vm" | "id">): void;
  /** Remembers at once, resolves when it is on the disk. Rejects if the disk refused: do not run. */
  add(request: Taken): Promise<void>;
  size(): number;
  /** Whether this VM has so many entries that it must wait until some are forgotten. */
  isFull(vm: VmName): boolean;
  /** When it was opened, it did not agree with "ledger.dates". */
  readonly wasLost: boolean;
  /** New requests are refused until that date; null: they are not. */
  refusesUntilMs(protocol: Protocol): number | null;
  /** Resolves when what was noted is written. */
  close(): Promise<void>;
}

/** The disk as the ledger uses it; tests make each call fail in turn. */
export interface LedgerDisk {
  read(): Promise<string>;
  /** Resolves when it is on the disk. */
  append(text: string): Promise<void>;
  /** The same without waiting for the disk: a power cut may lose it. */
  note(text: string): Promise<void>;
  replace(text: string): Promise<void>;
  /** "ledger.dates". */
  readDates(): Promise<string>;
  replaceDates(text: string): Promise<void>;
  close(): void;
}

export async function openLedger(disk: LedgerDisk, dateMs: () => number): Promise<Ledger> {
  const memory = createLedgerMemory(await disk.read());
  const dates = parseRanges("taken", await disk.readDates());
  const wasLost = isLost(memory, dates);
  if (wasLost) memory.loseRanges(dates);
  memory.forgetOld(dateMs());
  await disk.replace(memory.text());
  const writer = createWriter({ disk, memory, dates, dateMs });
  return {
    has: ({ vm, id }) => memory.has(vm, id),
    objection(request) {
      if (memory.has(request.vm, request.id)) return "replay";
      return memory.forgottenFor(request) === undefined ? null : "clock";
    },
    owes: memory.owes,
    answered({ vm, id }) {
      if (memory.answered(vm, id)) writer.note(answeredLine(vm, id));
    },
    add({ protocol, vm, id, digest }) {
      const request = { protocol, vm, id, digest };
      const atMs = dateMs();
      memory.remember(request, atMs);
      return writer.add(request, atMs);
    },
    size: memory.size,
    isFull(vm) {
      if (memory.count(vm) < MAX_ENTRIES_PER_VM) return false;
      memory.forgetOld(dateMs());
      return memory.count(vm) >= MAX_ENTRIES_PER_VM;
    },
    wasLost,
    refusesUntilMs(protocol) {
      const range = memory.forgottenFor({ protocol, issuedAtMs: dateMs() });
      return range === undefined ? null : firstDateAfter(protocol, range.toMs);
    },
    async close() {
      await writer.idle();
      disk.close();
    },
  };
}

/** What the file is written from. */
interface WriterParts {
  readonly disk: LedgerDisk;
  /** As "ledger" is on the disk when the writer begins; entries are in it before they are added. */
  readonly memory: LedgerMemory;
  /** As "ledger.dates" is on the disk. */
  readonly dates: RangesByProtocol;
  readonly dateMs: () => number;
}

/** Writes everything that waits in one go; what comes meanwhile waits for the next. */
interface LedgerWriter {
  /** Resolves when it is on the disk. */
  add(request: Taken, atMs: number): Promise<void>;
  /** Not synced. */
  note(line: string): void;
  /** Resolves when nothing waits. */
  idle(): Promise<void>;
}

interface Waiting {
  readonly request: Taken;
  readonly atMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function createWriter(parts: WriterParts): LedgerWriter {
  const { disk, memory, dateMs } = parts;
  let fileLines = memory.size();
  let waiting: Waiting[] = [];
  let notes: string[] = [];
  let writing: Promise<void> | null = null;

  const writeEntries = async (batch: readonly Waiting[]): Promise<void> => {
    memory.forgetOld(dateMs());
    const lines = [...notes, ...batch.map(({ request, atMs }) => entryLine(request, atMs))];
    notes = [];
    fileLines += lines.length;
    // The batch is in memory already, so a rewritten file holds it too.
    if (fileLines > memory.size() + SLACK_LINES) {
      fileLines = memory.size();
      await disk.replace(memory.text());
    } else if (batch.length > 0) await disk.append(lines.join(""));
    else await disk.note(lines.join(""));
  };
  const writeWaiting = async (): Promise<void> => {
    while (waiting.length + notes.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await writeEntries(batch);
        await writeDates(batch, parts);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // A line may have been cut in its middle: the next one must not be joined to it.
        fileLines = Infinity;
        for (const { reject } of batch) reject(error);
      }
    }
    writing = null;
  };
  return {
    add(request, atMs) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ request, atMs, resolve, reject });
      writing ??= writeWaiting();
      return promise;
    },
    note(line) {
      notes.push(line);
      writing ??= writeWaiting();
    },
    async idle() {
      await writing;
    },
  };
}

/** After the entries: so the ledger never has less than this file says. */
async function writeDates(
  batch: readonly Waiting[],
  { disk, dates }: WriterParts,
): Promise<void> {
  const more: RangesByProtocol = new Map(dates);
  for (const { request: { protocol }, atMs } of batch) {
    const known = more.get(protocol) ?? [];
    if (overlapping(known, { fromMs: atMs, toMs: atMs }) !== undefined) continue;
    more.set(protocol, withRange(known, { fromMs: atMs, toMs: atMs + AHEAD_MS }));
  }
  if (PROTOCOLS.every((protocol) => more.get(protocol) === dates.get(protocol))) return;
  await disk.replaceDates(rangesText("taken", more));
  for (const [protocol, ranges] of more) dates.set(protocol, ranges);
}

/** The end of each range was written when something of its last minute had been taken. */
function isLost(memory: LedgerMemory, dates: RangesByProtocol): boolean {
  return [...dates].some(([protocol, ranges]) =>
    ranges.some(({ toMs }) => !memory.knowsOf(protocol, { fromMs: toMs - AHEAD_MS, toMs }))
  );
}

export function ledgerFile(path: string): LedgerDisk {
  const datesPath = `${path}.dates`;
  let file: Deno.FsFile | null = null;
  /** It exists: opening the ledger rewrites it. */
  const write = async (text: string): Promise<Deno.FsFile> => {
    file ??= await Deno.open(path, { append: true });
    await writeFully(file, new TextEncoder().encode(text));
    return file;
  };
  return {
    async read() {
      return await ifPresent(Deno.readTextFile(path)) ?? "";
    },
    async append(text) {
      await (await write(text)).syncData();
    },
    async note(text) {
      await write(text);
    },
    async replace(text) {
      file?.close();
      file = null;
      await durableWrite(path, text);
    },
    async readDates() {
      return await ifPresent(Deno.readTextFile(datesPath)) ?? "";
    },
    replaceDates: (text) => durableWrite(datesPath, text),
    close() {
      file?.close();
      file = null;
    },
  };
}

/** For --dry-run: knows what was taken, and leaves the files alone. */
export function readOnly(disk: LedgerDisk): LedgerDisk {
  const nothing = (): Promise<void> => Promise.resolve();
  return { ...disk, append: nothing, note: nothing, replace: nothing, replaceDates: nothing };
}
