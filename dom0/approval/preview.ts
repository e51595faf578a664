// SPDX-License-Identifier: GPL-2.0-or-later
/** What an operation would change, read now in dom0, for the person or VM that is to know. @module */

import type { JsonValue } from "../operations/operation.ts";
import { type Outlook, outlookOf } from "../operations/outlook.ts";
import type { Recognised } from "../operations/recognise.ts";
import type { Judgement } from "../policy/judge.ts";
import { ReadError, type ReadOperation } from "../run/read_operation.ts";

export interface PreviewRow {
  /** "memory of work". */
  readonly what: string;
  readonly before: JsonValue;
  /** Left out where nobody can say. */
  readonly after?: JsonValue;
}

export interface Preview {
  readonly rows: readonly PreviewRow[];
  /** What could not be read, and why. */
  readonly unknown: readonly string[];
}

export const NO_PREVIEW: Preview = { rows: [], unknown: [] };

/** What of a read value may be shown; null: none of it. */
export type Show = (outlook: Outlook, read: JsonValue) => Promise<JsonValue | null>;

const showAll: Show = (_outlook, read) => Promise.resolve(read);

/** Of a plan, of each step whose values are known: as it is now, not as earlier steps will leave it. */
export async function previewOfRequest(
  { recognised, plan }: Pick<Judgement, "recognised" | "plan">,
  read: ReadOperation,
  show: Show = showAll,
): Promise<Preview> {
  if (plan === null) return await previewOf(recognised, read, show);
  const rows: PreviewRow[] = [];
  const unknown: string[] = [];
  for (const { step, recognised } of plan.steps) {
    const ofStep = await previewOf(recognised, read, show);
    rows.push(...ofStep.rows.map((row) => ({ ...row, what: `step ${step.number}: ${row.what}` })));
    unknown.push(...ofStep.unknown.map((text) => `step ${step.number}: ${text}`));
  }
  return { rows, unknown };
}

/** @param recognised null: a script, of which nothing can be said before */
export async function previewOf(
  recognised: Recognised | null,
  read: ReadOperation,
  show: Show = showAll,
): Promise<Preview> {
  if (recognised === null) return NO_PREVIEW;
  const rows: PreviewRow[] = [];
  const unknown: string[] = [];
  for (const outlook of outlookOf(recognised)) {
    try {
      const shown = await show(outlook, await read(outlook.reads, outlook.values));
      if (shown !== null) rows.push(rowOf(outlook, shown));
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      unknown.push(`${outlook.what}: ${error.message}`);
    }
  }
  return { rows, unknown };
}

function rowOf({ what, part, after }: Outlook, read: JsonValue): PreviewRow {
  const before = part(read);
  const then = after(before);
  return then === undefined ? { what, before } : { what, before, after: then };
}
