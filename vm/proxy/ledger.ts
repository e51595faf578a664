// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The books in a small SQLite file: one row for each client and day, so that a cap holds over a
 * restart, and one for each client, day and target, for people. SQLite is part of Deno; nothing else here keeps a sum right when the power goes.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite"; // built in; see above
import { errorText, UserError } from "../../shared/io/program.ts";
import type { Ledger, Usage } from "./limits.ts";

export interface OpenLedger extends Ledger {
  close(): void;
}

/** What a crash may lose of the books. */
const FLUSH_MS = 100;
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
  const sums = " ON CONFLICT DO UPDATE SET requests = requests + 1," +
    " tokens = tokens + excluded.tokens, spend_micro = spend_micro + excluded.spend_micro";
  const add = db.prepare(`INSERT INTO use VALUES (?, ?, 1, ?, ?)${sums}`);
  const addToTarget = db.prepare(`INSERT INTO use_by_target VALUES (?, ?, ?, 1, ?, ?)${sums}`);
  const between = (client: string, from: string, to: string): Usage => {
    const row = sum.get(client, from, to);
    return { tokens: Number(row?.["tokens"] ?? 0), spend: Number(row?.["micro"] ?? 0) / MICRO };
  };
  // A write takes longer than all else that a request needs of us, so it is done a little later;
  // whoever reads the books has everything written first.
  const waiting: (() => void)[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    try {
      for (const write of waiting.splice(0)) write();
    } catch (error) {
      onError(errorText(error)); // a full disk must not end the streams
    }
  };
  return {
    day: (client, day) => (flush(), between(client, day, day)),
    month: (client, month) => (flush(), between(client, `${month}-01`, `${month}-31`)),
    book(client, day, { tokens, spend }, target = null) {
      const used = [Math.round(tokens), Math.round(spend * MICRO)] as const;
      waiting.push(() => {
        add.run(client, day, ...used);
        if (target !== null) addToTarget.run(client, day, target, ...used);
      });
      timer ??= setTimeout(flush, FLUSH_MS);
    },
    close() {
      flush();
      db.close();
    },
  };
}
