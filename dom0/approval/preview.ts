// SPDX-License-Identifier: GPL-2.0-or-later
/** What an operation would change, read now in dom0, for the person or the VM that asks. @module */

import type { JsonValue } from "../operations/operation.ts";
import { type Outlook, outlookOf } from "../operations/outlook.ts";
import type { Recognised } from "../operations/recognise.ts";
import type { Judgement } from "../policy/judge.ts";
import { createForesight, type Foreseen, type Foresight } from "./foresight.ts";
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
  /** Those of them that rest on the plan alone, and not on what dom0 has. */
  readonly later?: readonly string[];
}

export const NO_PREVIEW: Preview = { rows: [], unknown: [] };

/** The part of a value that may be shown; null: none of it. */
export type Show = (outlook: Outlook, read: JsonValue) => Promise<JsonValue | null>;

const showAll: Show = (_outlook, read) => Promise.resolve(read);

/** Of a plan, of each step whose values are known, against what the steps before will have left. */
export async function previewOfRequest(
  { recognised, plan }: Pick<Judgement, "recognised" | "plan">,
  read: ReadOperation,
  show: Show = showAll,
): Promise<Preview> {
  if (plan === null) return await previewOf(recognised, read, show);
  const foresight = createForesight();
  const looks: Look[] = [];
  for (const { step, recognised } of plan.steps) {
    const ofStep: Look[] = [];
    for (const outlook of recognised === null ? [] : outlookOf(recognised)) {
      ofStep.push(await lookAhead(outlook, `step ${step.number}: `, foresight, { read, show }));
    }
    foresight.took(step, new Map(ofStep.map(({ left }) => left)));
    looks.push(...ofStep);
  }
  return previewOfLooks(looks);
}

/** @param recognised null: a script, of which nothing can be said before */
export async function previewOf(
  recognised: Recognised | null,
  read: ReadOperation,
  show: Show = showAll,
): Promise<Preview> {
  if (recognised === null) return NO_PREVIEW;
  const foresight = createForesight(); // nothing comes before it
  const looks = outlookOf(recognised).map((outlook) =>
    lookAhead(outlook, "", foresight, { read, show })
  );
  return previewOfLooks(await Promise.all(looks));
}

interface Reading {
  readonly read: ReadOperation;
  readonly show: Show;
}

/** What is shown of one outlook: a row, or why there is none; neither, if it may not be shown. */
interface Look {
  readonly row?: PreviewRow;
  readonly unknown?: string;
  /** That is so because of an earlier step. */
  readonly isLater?: boolean;
  /** Of what, and what is there after it. */
  readonly left: readonly [what: string, value: JsonValue | undefined];
}

function previewOfLooks(looks: readonly Look[]): Preview {
  const later = looks.flatMap(({ unknown, isLater }) => isLater ? unknown ?? [] : []);
  return {
    rows: looks.flatMap(({ row }) => row ?? []),
    unknown: looks.flatMap(({ unknown }) => unknown ?? []),
    ...later.length === 0 ? {} : { later },
  };
}

async function lookAhead(
  outlook: Outlook,
  step: string,
  foresight: Foresight,
  { read, show }: Reading,
): Promise<Look> {
  const { what, after } = outlook;
  const unseen = (unknown?: string): Look => ({
    ...unknown === undefined ? {} : { unknown: `${step}${what}: ${unknown}` },
    left: [what, after(null)],
  });
  const seen = (before: JsonValue, since = ""): Look => {
    const then = after(before);
    const row = { what: `${step}${what}${since}`, before };
    return { row: then === undefined ? row : { ...row, after: then }, left: [what, then] };
  };
  const foreseen = (seenAs: Foreseen, now: () => Look): Look => {
    switch (seenAs.kind) {
      case "now":
        return now();
      case "left":
        return seen(seenAs.value, `, as step ${seenAs.by} leaves it`);
      case "open":
        return { ...unseen(`known only after step ${seenAs.by}`), isLater: true };
      case "gone":
        return { ...unseen(`step ${seenAs.by} removes the qube`), isLater: true };
      default:
        return seenAs satisfies never;
    }
  };
  const ahead = foresight.look(outlook);
  if (ahead.kind !== "now") return foreseen(ahead, unseen);
  try {
    const shown = await show(outlook, await read(outlook.reads, outlook.values));
    if (shown === null) return unseen();
    const before = outlook.part(shown);
    return foreseen(foresight.amend(outlook, before), () => seen(before));
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return unseen(error.message);
  }
}
