// SPDX-License-Identifier: GPL-2.0-or-later
/** The record while a setup program works: what both do around each change. @module */

import { UserError } from "../cli/program.ts";
import type { Entry, RecordFile } from "./record.ts";

export interface Journal<F> {
  readonly path: string;
  entries: readonly Entry<F>[];
}

/**
 * One change, recorded before it begins. One that restored the original value leaves nothing to take
 * back.
 *
 * @throws {UserError} that says how to go on
 */
export async function onRecord<F>(
  file: RecordFile<F>,
  journal: Journal<F>,
  { fact, from, to }: Entry<F>,
  carryOut: () => Promise<void>,
): Promise<void> {
  await write(file, journal, file.withChange(journal.entries, { fact, from, to }));
  try {
    await carryOut();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.message, [
      ...error.hints,
      `what was done so far is recorded: run the same again to go on, or ${file.program} --undo`,
    ]);
  }
  const entry = file.find(journal.entries, fact);
  if (entry !== undefined && entry.from === entry.to) await offRecord(file, journal, fact);
}

/** It is as it was before, or no longer ours. */
export async function offRecord<F>(
  file: RecordFile<F>,
  journal: Journal<F>,
  fact: F,
): Promise<void> {
  await write(file, journal, file.without(journal.entries, fact));
}

async function write<F>(
  file: RecordFile<F>,
  journal: Journal<F>,
  entries: readonly Entry<F>[],
): Promise<void> {
  await file.write(journal.path, entries);
  journal.entries = entries;
}
