// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The books in a small SQLite file: one row for each client and day, so that a cap holds over a
 * restart. SQLite is part of Deno; nothing else here keeps a sum right when the power goes.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite"; // built in; see above
import { errorText, UserError } from "../../shared/io/program.ts";
import type { Ledger, Usage } from "./limits.ts";

export interface OpenLedger extends Ledger {
  close(): void;
}

/** Sums that are not written yet. */
interface Waiting {
  readonly client: string;
  readonly day: string;
  requests: number;
  tokens: number;
  micro: number;
}

/** What a crash may lose of the books. */
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

function open(path: string, onError: (text: string) => void): OpenLedger {
  const db = new DatabaseSync(path);
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;" +
      "CREATE TABLE IF NOT EXISTS use (client TEXT NOT NULL, day TEXT NOT NULL," +
      " requests INTEGER NOT NULL, tokens INTEGER NOT NULL, spend_micro INTEGER NOT NULL," +
      " PRIMARY KEY (client, day)) STRICT, WITHOUT ROWID;",
  );
  if (path !== ":memory:") Deno.chmodSync(path, 0o600);
  const sum = db.prepare(
    "SELECT coalesce(sum(tokens), 0) AS tokens, coalesce(sum(spend_micro), 0) AS micro" +
      " FROM use WHERE client = ? AND day >= ? AND day <= ?",
  );
  const add = db.prepare(
    "INSERT INTO use VALUES (?, ?, ?, ?, ?)" +
      " ON CONFLICT DO UPDATE SET requests = requests + excluded.requests," +
      " tokens = tokens + excluded.tokens, spend_micro = spend_micro + excluded.spend_micro",
  );
  // Nobody else writes this file: what was read once is kept up to date here, so that a cap costs
  // a request nothing.
  const sums = new Map<string, { tokens: number; micro: number }>();
  const used = (client: string, period: string, from: string, to: string): Usage => {
    const key = `${period} ${client}`;
    let found = sums.get(key);
    if (found === undefined) {
      flush();
      const row = sum.get(client, from, to);
      found = { tokens: Number(row?.["tokens"] ?? 0), micro: Number(row?.["micro"] ?? 0) };
      if (sums.size >= MAX_SUMS) sums.clear();
      sums.set(key, found);
    }
    return { tokens: found.tokens, spend: found.micro / MICRO };
  };
  // A write takes longer than all else that a request needs of us, so it is done a little later,
  // one for each row.
  let waiting = new Map<string, Waiting>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const rows = waiting;
    waiting = new Map();
    try {
      for (const { client, day, requests, tokens, micro } of rows.values()) {
        add.run(client, day, requests, tokens, micro);
      }
    } catch (error) {
      onError(errorText(error)); // a full disk must not end the streams
    }
  };
  return {
    day: (client, day) => used(client, day, day, day),
    month: (client, month) => used(client, month, `${month}-01`, `${month}-31`),
    book(client, day, { tokens, spend }) {
      const key = `${day} ${client}`;
      const row = waiting.get(key) ?? { client, day, requests: 0, tokens: 0, micro: 0 };
      const month = `${day.slice(0, "2026-11".length)} ${client}`;
      row.requests++;
      for (const one of [row, sums.get(key), sums.get(month)]) {
        if (one === undefined) continue;
        one.tokens += Math.round(tokens);
        one.micro += Math.round(spend * MICRO);
      }
      waiting.set(key, row);
      timer ??= setTimeout(flush, FLUSH_MS);
    },
    close() {
      flush();
      db.close();
    },
  };
}
