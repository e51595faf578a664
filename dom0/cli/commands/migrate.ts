// SPDX-License-Identifier: GPL-2.0-or-later
/** migrate: from the Python original to this project, and back. @module */

import { durableFolder } from "../../../shared/io/durable.ts";
import { expectWords, type OptionTable, parseWords } from "../../../shared/cli/options.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { takeLock } from "../../../shared/setup/engine.ts";
import type { Journal } from "../../../shared/setup/journal.ts";
import { runCommand, type Tools } from "../../../shared/setup/tools.ts";
import { applySteps, createMover, takeBack } from "../../migration/apply.ts";
import { describe, type Fact, record, type Undo } from "../../migration/fact.ts";
import { type Plan, planMigration } from "../../migration/plan.ts";
import {
  isEmpty,
  nextText,
  planJson,
  planText,
  undoEnd,
  undoJson,
  undoLine,
} from "../../migration/report.ts";
import { surveyOriginal } from "../../migration/survey.ts";
import { lookAt, planBack } from "../../migration/undo.ts";
import { recordAction } from "../../operator/acting.ts";
import type { Paths } from "../../settings/paths.ts";
import { type Operator, requireRoot } from "../operator.ts";

export const MIGRATE_OPTIONS: OptionTable = { apply: "flag", undo: "flag", json: "flag" };
export const MIGRATE_WORDS = "[--apply|--undo] [--json]";

/** Stopping a daemon that runs commands takes its time. */
const LIMIT_MS = 120_000;
const TOOLS: Tools = {
  run: (command) =>
    runCommand(command, { limitMs: LIMIT_MS, absentHint: "this has to run in dom0" }),
};

export async function migrate(
  operator: Operator,
  words: readonly string[],
  tools: Tools = TOOLS,
): Promise<number> {
  const options = parseWords(words, MIGRATE_OPTIONS);
  expectWords(options.rest, 0, 0, `qvm-remote-dom0 migrate ${MIGRATE_WORDS}`);
  if (options.has("apply") && options.has("undo")) {
    throw new UsageError("--apply and --undo exclude each other");
  }
  requireRoot(operator, "migrate");
  const run = options.has("undo") ? runUndo : options.has("apply") ? runApply : runDry;
  return await run({ operator, tools, isJson: options.has("json") });
}

interface Run {
  readonly operator: Operator;
  readonly tools: Tools;
  readonly isJson: boolean;
}

async function runDry({ operator, tools, isJson }: Run): Promise<number> {
  const found = await surveyOriginal(operator.paths, tools);
  const plan = planMigration(found);
  const code = plan.obstacles.length === 0 ? 0 : 1;
  if (isJson) {
    operator.print(planJson(found, plan, false));
    return code;
  }
  if (isEmpty(found)) {
    operator.print("There is nothing of the Python original here.\n");
    return code;
  }
  operator.print(planText(found, plan));
  operator.print(
    code === 1
      ? 'Nothing was changed. Do what stands under "Before --apply" first.\n'
      : plan.steps.length === 0
      ? "Nothing was changed: there is nothing left to do.\n"
      : 'Nothing was changed. "qvm-remote-dom0 migrate --apply" does these steps.\n',
  );
  return code;
}

async function runApply({ operator, tools, isJson }: Run): Promise<number> {
  const { paths, print } = operator;
  using _lock = await lockMigration(paths);
  const found = await surveyOriginal(paths, tools);
  const plan = planMigration(found);
  refuseObstacles(plan);
  const journal: Journal<Fact> = { path: paths.migrationFile, entries: found.entriesOfRecord };
  if (plan.steps.length > 0) await recordAction(operator, "migrate", { steps: plan.steps.length });
  if (!isJson) print(planText(found, { ...plan, steps: [] }));
  await applySteps(createMover(operator, tools), plan.steps, journal, ({ fact, to }) => {
    if (!isJson) print(`${describe(fact, to)}\n`);
  });
  if (isJson) print(planJson(found, plan, true));
  else if (plan.steps.length === 0) print("There is nothing left to do.\n");
  else print(`Done: ${plan.steps.length} steps.\n${nextText(plan)}`);
  return 0;
}

/** @throws {UserError} before anything is changed */
function refuseObstacles({ obstacles: [first, ...others] }: Plan): void {
  if (first === undefined) return;
  throw new UserError(first.what, [
    first.why,
    ...others.map(({ what, why }) => `also: ${what}: ${why}`),
    "nothing was changed",
  ]);
}

async function runUndo({ operator, tools, isJson }: Run): Promise<number> {
  const { paths, print } = operator;
  using _lock = await lockMigration(paths);
  const path = paths.migrationFile;
  const journal: Journal<Fact> = { path, entries: await record.read(path) };
  if (journal.entries.length === 0) {
    print(isJson ? undoJson([]) : "Nothing to take back: there is no record of a migration.\n");
    return 0;
  }
  const places = [];
  for (const entry of journal.entries) {
    places.push({ entry, now: await lookAt(entry, paths, tools) });
  }
  const undos = planBack(places);
  await recordAction(operator, "migrate-undo", { changes: undos.length });
  const say = (one: Undo): void => {
    if (!isJson) print(undoLine(one));
  };
  await takeBack(createMover(operator, tools), undos, journal, say);
  print(isJson ? undoJson(undos) : undoEnd(undos, path));
  return journal.entries.length === 0 ? 0 : 1;
}

async function lockMigration({ libFolder }: Paths): Promise<Deno.FsFile> {
  await durableFolder(libFolder);
  return await takeLock(`${libFolder}/migration.lock`, "qvm-remote-dom0 migrate");
}
