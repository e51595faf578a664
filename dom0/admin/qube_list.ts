// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The list of qubes, as dom0 last gave it: a page uses what is known, and the list is refreshed
 * after it. So no page waits for qvm-ls but one that comes before the first list.
 *
 * @module
 */

import type { JsonValue } from "../operations/operation.ts";
import { type Dom0Channel, Dom0Error, type RunResult } from "./channel/dom0_channel.ts";
import { HttpError } from "./server/http_message.ts";

export interface Qube {
  readonly name: string;
  readonly state: string;
  readonly class: string;
  readonly label: string;
  readonly template: string | null;
  readonly netvm: string | null;
  /** MiB that it has now; null if it does not run. */
  readonly memory: number | null;
}

export interface QubeList {
  readonly qubes: readonly Qube[];
  readonly byName: ReadonlyMap<string, Qube>;
  readonly readMs: number;
  /** Why there is none, or why it is old. */
  readonly problem: string | null;
}

export interface QubeLister {
  get(): Promise<QubeList>;
  /** After a change: the next page waits for the new list. */
  forget(): void;
}

/** A qube of dom0's by its name. @throws {HttpError} 404 if there is none, or it is dom0 itself */
export function qubeNamed({ byName }: QubeList, name: string): Qube {
  const known = byName.get(name);
  if (known === undefined || known.class === "AdminVM") {
    throw new HttpError(404, "dom0 has no such qube");
  }
  return known;
}

const FRESH_MS = 2_000;
const BY = "web";

interface QubeListerParts {
  readonly channel: Pick<Dom0Channel, "run">;
  readonly dateMs: () => number;
  readonly afterPage: (run: () => void) => void;
  /** There is another list than the pages showed. */
  readonly onChange: () => void;
}

export function createQubeLister(
  { channel, dateMs, afterPage, onChange }: QubeListerParts,
): QubeLister {
  let known: QubeList | null = null;
  let asking: Promise<QubeList> | null = null;
  const ask = (): Promise<QubeList> => {
    asking ??= readQubes(channel, dateMs).then((list) => {
      const isOther = known !== null && JSON.stringify(known.qubes) !== JSON.stringify(list.qubes);
      known = list.problem === null || known === null ? list : { ...known, problem: list.problem };
      if (isOther) onChange();
      return known;
    }).finally(() => asking = null);
    return asking;
  };
  const askAgain = (): void => void ask();
  return {
    async get() {
      if (known === null) return await ask();
      if (dateMs() - known.readMs > FRESH_MS) afterPage(askAgain);
      return known;
    },
    forget: () => known = null,
  };
}

async function readQubes(
  channel: Pick<Dom0Channel, "run">,
  dateMs: () => number,
): Promise<QubeList> {
  const readMs = dateMs();
  try {
    const [list, memory] = await Promise.all([
      channel.run("vm.list", {}, BY),
      channel.run("xen.list", {}, BY).then(rowsOf).catch(() => []),
    ]);
    const memoryOf = new Map(memory.map((row) => [row["name"], Number(row["memory_mib"])]));
    const qubes = rowsOf(list).map((row) => asQube(row, memoryOf)).filter(({ name }) =>
      name !== ""
    );
    return {
      qubes,
      byName: new Map(qubes.map((qube) => [qube.name, qube])),
      readMs,
      problem: null,
    };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { qubes: [], byName: new Map(), readMs, problem };
  }
}

type Row = Readonly<Record<string, string | null>>;

/** A result of the table that is rows. @throws {Dom0Error} it failed */
export function rowsOf({ exitCode, stderr, value }: RunResult): readonly Row[] {
  if (exitCode !== 0) throw new Dom0Error(stderr.trim() || `it ended with code ${exitCode}`);
  if (!Array.isArray(value)) return [];
  return value.filter(isRow);
}

function isRow(value: JsonValue): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asQube(row: Row, memoryOf: ReadonlyMap<string | null | undefined, number>): Qube {
  const state = row["state"] ?? "";
  const memory = memoryOf.get(row["name"]);
  return {
    name: row["name"] ?? "",
    state,
    class: row["class"] ?? "",
    label: row["label"] ?? "",
    template: row["template"] ?? null,
    netvm: row["netvm"] ?? null,
    memory: state === "Halted" || memory === undefined || Number.isNaN(memory) ? null : memory,
  };
}
