// SPDX-License-Identifier: GPL-2.0-or-later
/** The reading side of the books: what was used. It changes nothing. @module */

import { DatabaseSync } from "node:sqlite"; // as the writing side
import { errorText, UserError } from "../../../shared/cli/program.ts";

export interface UseRow {
  /** "2026-11-22", of UTC. */
  readonly day: string;
  readonly client: string;
  /** As "provider/model"; null for what was booked without one. */
  readonly target: string | null;
  readonly requests: number;
  readonly tokens: number;
  /** US dollars, at the configured prices. */
  readonly spend: number;
}

const MICRO = 1e6;

/**
 * @param fromDay the first day, as "2026-11-01"
 * @throws {UserError} if the file is no such database
 */
export function readUse(path: string, fromDay: string): readonly UseRow[] {
  let db: DatabaseSync | null = null;
  try {
    const open = db = new DatabaseSync(path, { readOnly: true });
    const rows = (table: string, target: string): readonly UseRow[] =>
      open.prepare(
        `SELECT day, client, ${target} AS target, requests, tokens, spend_micro FROM ${table}` +
          " WHERE day >= ? ORDER BY day, client, target",
      ).all(fromDay).map(toRow);
    const byTarget = hasTable(open, "use_by_target") ? rows("use_by_target", "target") : [];
    return withRest(rows("use", "NULL"), byTarget);
  } catch (error) {
    throw new UserError(`cannot read the record of use, ${path}: ${errorText(error)}`);
  } finally {
    db?.close();
  }
}

function hasTable(db: DatabaseSync, name: string): boolean {
  return db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !==
    undefined;
}

function toRow(row: Readonly<Record<string, unknown>>): UseRow {
  const { day, client, target, requests, tokens, spend_micro } = row;
  return {
    day: String(day),
    client: String(client),
    target: target === null ? null : String(target),
    requests: Number(requests),
    tokens: Number(tokens),
    spend: Number(spend_micro) / MICRO,
  };
}

/** The rows by target, and what a day and client has beyond them. */
function withRest(totals: readonly UseRow[], byTarget: readonly UseRow[]): readonly UseRow[] {
  return totals.flatMap((total) => {
    const known = byTarget.filter(({ day, client }) =>
      day === total.day && client === total.client
    );
    const less = (pick: (row: UseRow) => number): number =>
      known.reduce((left, row) => left - pick(row), pick(total));
    const rest: UseRow = {
      ...total,
      requests: less(({ requests }) => requests),
      tokens: less(({ tokens }) => tokens),
      spend: Math.round(less(({ spend }) => spend) * MICRO) / MICRO,
    };
    return rest.requests > 0 ? [...known, rest] : known;
  });
}
