// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The records of what can be undone, one file each, for 30 days or 1,000 records, whichever is less.
 * When there are too many, the oldest of the VM that has the most goes: a VM that changes much pushes
 * out its own.
 *
 * @module
 */

import { durableFolder, durableRemove, durableWrite } from "../../shared/io/durable.ts";
import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { nameOfRecord, parseUndoRecord, type UndoRecord, undoRecordText } from "./undo_record.ts";

const KEEP_MS = 30 * 24 * 3600 * 1000;
const MAX_RECORDS = 1000;
/** The rules of a firewall are the longest part that is kept. */
const MAX_RECORD_BYTES = 1024 * 1024;
const NAME =
  /^([A-Za-z][A-Za-z0-9_.-]*?)-([0-9]{8}-[0-9]{6}-[0-9]{1,10}-[0-9a-f]{8})(-[0-9]+)?\.json$/;

export interface UndoStore {
  /** On the disk when it resolves. */
  put(record: UndoRecord): Promise<void>;
  /** Oldest first; what is too old, or no record, is left out. */
  list(): Promise<readonly UndoRecord[]>;
  /** Those of one request, by step. */
  find(id: string): Promise<readonly UndoRecord[]>;
  /** Lets go of what is too old, and of what is too much. */
  forgetOld(): Promise<void>;
}

export interface UndoStoreOptions {
  readonly folder: string;
  readonly dateMs: () => number;
  readonly maxRecords?: number;
}

export function createUndoStore(
  { folder, dateMs, maxRecords = MAX_RECORDS }: UndoStoreOptions,
): UndoStore {
  const names = async (): Promise<readonly string[]> => {
    const found = await ifPresent(Array.fromAsync(Deno.readDir(folder), ({ name }) => name)) ?? [];
    return found.filter((name) => NAME.test(name));
  };
  const read = async (name: string): Promise<UndoRecord | null> => {
    const path = `${folder}/${name}`;
    const text = await ifPresent(readSmallText(path, MAX_RECORD_BYTES));
    const record = text === undefined ? null : parseUndoRecord(text, path);
    return record === null || `${nameOfRecord(record)}.json` !== name ? null : record;
  };
  const readAll = async (wanted: readonly string[]): Promise<readonly UndoRecord[]> => {
    const records = await Promise.all(wanted.map(read));
    const oldestMs = dateMs() - KEEP_MS;
    return records.filter((record) => record !== null).filter(({ atMs }) => atMs >= oldestMs)
      .toSorted((a, b) => a.atMs - b.atMs || (a.step ?? 0) - (b.step ?? 0));
  };
  const forgetOld = async (): Promise<void> => {
    const all = await names();
    const kept = new Set((await readAll(all)).map((record) => `${nameOfRecord(record)}.json`));
    const tooMany = surplus([...kept], maxRecords);
    for (const name of all) {
      if (!kept.has(name) || tooMany.has(name)) await durableRemove(`${folder}/${name}`);
    }
  };
  return {
    async put(record) {
      await durableFolder(folder);
      await durableWrite(`${folder}/${nameOfRecord(record)}.json`, undoRecordText(record));
      if ((await names()).length > maxRecords) await forgetOld();
    },
    list: async () => await readAll(await names()),
    async find(id) {
      const ofIt = (await names()).filter((name) => NAME.exec(name)?.[2] === id);
      return await readAll(ofIt);
    },
    forgetOld,
  };
}

/** @param names oldest first */
function surplus(names: readonly string[], most: number): ReadonlySet<string> {
  const byVm = new Map<string, string[]>();
  for (const name of names) {
    const vm = NAME.exec(name)?.[1] ?? "";
    byVm.set(vm, [...byVm.get(vm) ?? [], name]);
  }
  const gone = new Set<string>();
  while (names.length - gone.size > most) {
    const [most = []] = [...byVm.values()].toSorted((a, b) => b.length - a.length);
    const oldest = most.shift();
    if (oldest === undefined) break;
    gone.add(oldest);
  }
  return gone;
}
