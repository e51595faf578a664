// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote migrate`: from the Python original to this project, and back. @module */

import {
  EXIT_FAILED,
  EXIT_OK,
  UsageError,
  UserError,
  writeAll,
} from "../../../shared/cli/program.ts";
import { releaseLock, tryLock } from "../../../shared/io/file_lock.ts";
import { exists } from "../../../shared/io/files.ts";
import type { Layout } from "../files/layout.ts";
import { applySteps, takeBack } from "../migration/apply.ts";
import { describe } from "../migration/fact.ts";
import { type Found, type Plan, planMigration } from "../migration/plan.ts";
import { backLine, isEmpty, NEXT, planText, stepLine } from "../migration/report.ts";
import { currentLayout, surveyOriginal } from "../migration/survey.ts";
import type { Given } from "./cli_words.ts";
import { print } from "./print.ts";

export async function migrate(layout: Layout, given: Given): Promise<number> {
  if (given.has("apply") && given.has("undo")) {
    throw new UsageError("--apply and --undo exclude each other");
  }
  if (given.has("undo")) return await alone(layout, () => runUndo(layout, given));
  if (given.has("apply")) return await alone(layout, () => runApply(layout, given));
  const found = await surveyOriginal(layout);
  const plan = planMigration(found);
  const end = plan.steps.length === 0
    ? "Nothing was changed: there is nothing left to do.\n"
    : 'Nothing was changed. "qvm-remote migrate --apply" does these steps.\n';
  const text = isEmpty(found)
    ? "There is nothing of the Python original here.\n"
    : planText(found, plan) + end;
  print(given, planJson(found, plan, false), text);
  return EXIT_OK;
}

async function runApply(layout: Layout, given: Given): Promise<number> {
  const found = await surveyOriginal(layout);
  const plan = planMigration(found);
  const say = sayer(given);
  say(planText(found, { ...plan, steps: [] }));
  await applySteps(layout, plan.steps, (step) => say(stepLine(step)));
  const end = plan.steps.length === 0 ? "There is nothing left to do.\n" : "Done.\n";
  print(given, planJson(found, plan, true), end + NEXT);
  return EXIT_OK;
}

async function runUndo(layout: Layout, given: Given): Promise<number> {
  const say = sayer(given);
  const backs = await takeBack(layout, (entry, left) => say(backLine(entry, left)));
  const isWhole = backs.every(({ left }) => left === null);
  const undo = backs.map(({ entry: { fact, from }, left }) => ({
    what: describe(fact, from),
    left,
  }));
  const end = backs.length === 0
    ? "Nothing to take back: there is no record of a migration.\n"
    : isWhole
    ? "All of it is as before the migration. Put the original's client back before you use it:\n" +
      "this one closes the folder again.\n"
    : "The rest is taken back.\n";
  print(given, { undo }, end);
  return isWhole ? EXIT_OK : EXIT_FAILED;
}

/** Says each step as it begins, unless one object is all that is wanted. */
function sayer(given: Given): (text: string) => void {
  return (text) => {
    if (!given.has("json")) writeAll(Deno.stdout, text);
  };
}

function planJson(found: Found, { steps, notTaken, stays }: Plan, done: boolean): object {
  return {
    folders: found.folders,
    key: found.key,
    steps: steps.map(({ fact, to, why }) => ({ what: describe(fact, to), why })),
    done,
    not_taken: notTaken,
    stays,
  };
}

/** One migration at a time: the folder itself is locked, so that nothing is left of it. */
async function alone(layout: Layout, run: () => Promise<number>): Promise<number> {
  const { base } = await currentLayout(layout);
  if (!await exists(base)) return await run();
  const folder = await Deno.open(base, { read: true });
  if (!await tryLock(folder)) throw new UserError("another qvm-remote migrate is at work");
  try {
    return await run();
  } finally {
    releaseLock(folder);
  }
}
