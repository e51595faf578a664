// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The books in a small SQLite file: one row for each client and day, so that a cap holds over a
 * restart, and one for each client, day and target, for people. SQLite is part of Deno; nothing
 * else at hand keeps a sum right through a power cut.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite"; // built in; see above
import { errorText, UserError } from "../../../shared/cli/program.ts";
import type { Ledger, Usage } from "./limits.ts";

export interface OpenLedger extends Ledger {
  close(): void;
}

interface Sum {
  tokens: number;
  micro: number;
}

/** Sums that are not written yet. */
interface Waiting extends Sum {
  readonly client: string;
  readonly day: string;
  readonly target: string | null;
  requests: number;
}

/** How much of the books a crash may lose. */
const FLUSH_MS = 100;
/** Sums kept of clients' days and months; days go by. */
const MAX_SUMS = 1000;
const MICRO = 1e6; // dollars are kept as whole millionths: sums of floats drift

/** @throws {UserError} if the file is no database */
export function openLedger(path: string, onError: (text: string) => void): OpenLedger {
  try {
    return open(path, onError);
  } catch (error) {
    throw new UserError(`cannot open the record of use, ${path}: ${errorText(error)}`, [
      `if the file is broken, move it away: mv ${path} ${path}.broken; what was spent is then forgotten`,
    ]);
  }
}

/** The file, and the three things that are done with it. */
interface Books {
  readonly db: DatabaseSync;
  readonly sum: StatementSync;
  readonly add: StatementSync;
  readonly addToTarget: StatementSync;
}

function openBooks(path: string): Books {
  const db = new DatabaseSync(path);
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;" +
      "CREATE TABLE IF NOT EXISTS use (client TEXT NOT NULL, day TEXT NOT NULL," +
      " requests INTEGER NOT NULL, tokens INTEGER NOT NULL, spend_micro INTEGER NOT NULL," +
      " PRIMARY KEY (client, day)) STRICT, WITHOUT ROWID;" +
      "CREATE TABLE IF NOT EXISTS use_by_target (client TEXT NOT NULL, day TEXT NOT NULL," +
      " target TEXT NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL," +
      " spend_micro INTEGER NOT NULL, PRIMARY KEY (client, day, target)) STRICT, WITHOUT ROWID;",
  );
  if (path !== ":memory:") Deno.chmodSync(path, 0o600);
  const sum = db.prepare(
    "SELECT coalesce(sum(tokens), 0) AS tokens, coalesce(sum(spend_micro), 0) AS micro" +
      " FROM use WHERE client = ? AND day >= ? AND day <= ?",
  );
  const more = " ON CONFLICT DO UPDATE SET requests = requests + excluded.requests," +
    " tokens = tokens + excluded.tokens, spend_micro = spend_micro + excluded.spend_micro";
  const add = db.prepare(`INSERT INTO use VALUES (?, ?, ?, ?, ?)${more}`);
  const addToTarget = db.prepare(`INSERT INTO use_by_target VALUES (?, ?, ?, ?, ?, ?)${more}`);
  return { db, sum, add, addToTarget };
}

/**
 * A write takes longer than all else that a request needs of us, so it is done a little later, one
 * for each row.
 */
interface WaitingRows {
  readonly row: (client: string, day: string, target: string | null) => Waiting;
  readonly flush: () => void;
  /** Includes what could not be written. */
  readonly sum: (client: string, from: string, to: string) => Sum;
}

function createWaitingRows(
  { db, sum, add, addToTarget }: Books,
  onError: (text: string) => void,
): WaitingRows {
  let waiting = new Map<string, Waiting>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.size === 0) return;
    try {
      db.exec("BEGIN");
      for (const { client, day, target, requests, tokens, micro } of waiting.values()) {
        add.run(client, day, requests, tokens, micro);
        if (target !== null) addToTarget.run(client, day, target, requests, tokens, micro);
      }
      db.exec("COMMIT");
      waiting = new Map();
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      onError(errorText(error)); // a full disk must not end the streams; what waits still counts
    }
  };
  return {
    flush,
    row(client, day, target) {
      const key = `${day} ${client} ${target ?? ""}`;
      const row = waiting.get(key) ?? { client, day, target, requests: 0, tokens: 0, micro: 0 };
      waiting.set(key, row);
      timer ??= setTimeout(flush, FLUSH_MS);
      return row;
    },
    sum(client, from, to) {
      flush();
      const row = sum.get(client, from, to);
      const found = { tokens: Number(row?.["tokens"] ?? 0), micro: Number(row?.["micro"] ?? 0) };
      for (const one of waiting.values()) {
        if (one.client !== client || one.day < from || one.day > to) continue;
        found.tokens += one.tokens;
        found.micro += one.micro;
      }
      return found;
    },
  };
}

function open(path: string, onError: (text: string) => void): OpenLedger {
  const books = openBooks(path);
  const rows = createWaitingRows(books, onError);
  // Nobody else writes this file: what was read once is kept up to date here, so that a cap costs
  // a request nothing.
  const sums = new Map<string, Sum>();
  const used = (client: string, period: string, from: string, to: string): Usage => {
    const key = `${period} ${client}`;
    let found = sums.get(key);
    if (found === undefined) {
      found = rows.sum(client, from, to);
      if (sums.size >= MAX_SUMS) sums.clear();
      sums.set(key, found);
    }
    return { tokens: found.tokens, spend: found.micro / MICRO };
  };
  return {
    day: (client, day) => used(client, day, day, day),
    month: (client, month) => used(client, month, `${month}-01`, `${month}-31`),
    book(client, day, { tokens, spend }, target = null) {
      const row = rows.row(client, day, target);
      const month = day.slice(0, "2026-11".length);
      row.requests++;
      for (const one of [row, sums.get(`${day} ${client}`), sums.get(`${month} ${client}`)]) {
        if (one === undefined) continue;
        one.tokens += Math.round(tokens);
        one.micro += Math.round(spend * MICRO);
      }
    },
    close() {
      rows.flush();
      books.db.close();
    },
  };
}
