// SPDX-License-Identifier: GPL-2.0-or-later
/** setup, verify and undo, over given places, tools and a terminal. @module */

import { dirname } from "@std/path/posix/dirname";
import type { Journal } from "../../shared/setup/journal.ts";
import { UserError } from "../../shared/cli/program.ts";
import { VERSION } from "../../shared/io/version.ts";
import { apply, type Engine, stepsFor, takeLock, verify } from "../../shared/setup/engine.ts";
import { exitCode, type Finding, findingsTable } from "../../shared/setup/findings.ts";
import { agentTools, saysYes } from "./agent_tools.ts";
import { createEngine } from "./apply.ts";
import { checkConfiguration } from "./checks.ts";
import { type Fact, record, type Wanted } from "./fact.ts";
import { HELP } from "./help.ts";
import type { Places } from "./places.ts";
import { leftovers, split } from "./plan.ts";
import { createRead } from "./reader.ts";
import { nextStep, progressText, rootText, stepJson, stepText, whatNext } from "./report.ts";
import { type Invocation, parseInvocation, type SetupRequest } from "./request.ts";
import type { Problem } from "./requirements.ts";
import { runUndo } from "./run_undo.ts";
import type { Setting } from "./setting.ts";
import { type Survey, survey } from "./survey.ts";
import { isStart, wantedFor } from "./wanted.ts";

/** @returns the exit code */
export async function runSetup(setting: Setting, words: readonly string[]): Promise<number> {
  const invocation = parseInvocation(words);
  const { action } = invocation;
  switch (action.kind) {
    case "help":
      return setting.print(HELP), 0;
    case "version":
      return setting.print(`setup-vm ${VERSION}\n`), 0;
    case "undo": {
      checkUser(setting);
      using _lock = invocation.dryRun ? undefined : await lockOf(setting.places);
      return await runUndo(setting, invocation, action.removeData);
    }
    case "verify":
      checkUser(setting);
      return await runVerify(setting, invocation, action.request);
    case "setup":
      checkUser(setting);
      return invocation.dryRun
        ? await runDry(setting, invocation, action.request)
        : await runReal(setting, invocation, action.request);
  }
}

interface Prepared {
  readonly found: Survey;
  /** What is left for the person. */
  readonly next: readonly string[];
  readonly wanted: readonly Wanted[];
  readonly journal: Journal<Fact>;
  readonly engine: Engine<Fact>;
}

/** @param mayAsk whether it is to change something, and prints for people */
async function prepare(
  setting: Setting,
  request: SetupRequest,
  { mayAsk, yes }: { readonly mayAsk: boolean; readonly yes: boolean },
): Promise<Prepared> {
  const { places, tools, qubesDb } = setting;
  const entries = await record.read(places.record);
  const seen = await survey(request, places, tools, qubesDb);
  const canAsk = mayAsk && setting.isTerminal && seen.problems.length === 0;
  const forAgent = await agentTools(setting, request, {
    entries,
    isTemplate: seen.around.kind === "template",
    says: canAsk ? () => yes || saysYes(setting) : null,
  });
  const found = { ...seen, problems: [...seen.problems, ...forAgent.problems] };
  const wanted = [...wantedFor(request, places, found.around), ...forAgent.wanted];
  const old = request.onlyFiles ? [] : leftovers(wanted, entries);
  return {
    found,
    next: [...whatNext(request, found), ...forAgent.notes],
    wanted: [...old, ...wanted],
    journal: { path: places.record, entries },
    engine: createEngine(tools, createRead(tools, places)),
  };
}

async function runDry(
  setting: Setting,
  { json, yes }: Invocation,
  request: SetupRequest,
): Promise<number> {
  const { found, wanted, engine, journal, next } = await prepare(setting, request, {
    mayAsk: false,
    yes,
  });
  const steps = await stepsFor(engine, wanted, journal.entries);
  if (json) {
    return printJson(setting, { problems: found.problems, steps: steps.map(stepJson), next });
  }
  for (const { text } of found.problems) setting.print(`# in the way: ${text}\n`);
  for (const step of steps) setting.print(stepText(step) + "\n");
  for (const line of next) setting.print(`# next: ${line}\n`);
  setting.print(`# ${steps.length} changes; nothing was changed\n`);
  return found.problems.length === 0 ? 0 : 1;
}

async function runVerify(
  setting: Setting,
  { json, yes }: Invocation,
  request: SetupRequest,
): Promise<number> {
  const { found, wanted, engine, journal, next } = await prepare(setting, request, {
    mayAsk: false,
    yes,
  });
  const problems = found.problems.map(problemFinding);
  const facts = await verify(engine, wanted, journal.entries);
  const checks = await checkConfiguration(request, setting.places, found.prefix, setting.tools);
  const findings = [...problems, ...facts, ...checks];
  if (json) printJson(setting, { verification: findings, next });
  else setting.print(`${nextStep(problems, facts, checks, next)}\n\n${findingsTable(findings)}`);
  return exitCode(findings);
}

async function runReal(
  setting: Setting,
  { json, yes }: Invocation,
  request: SetupRequest,
): Promise<number> {
  const { places, tools } = setting;
  using _lock = await lockOf(places);
  const { found, wanted, journal, engine, next } = await prepare(setting, request, {
    mayAsk: !json,
    yes,
  });
  const [problem, ...more] = found.problems;
  if (problem !== undefined) throw inTheWay(problem, more);
  const { own, roots } = split(wanted, found.hasRoot);
  const say = (step: Parameters<typeof progressText>[0]): void => {
    if (!json) setting.print(progressText(step));
  };
  const done = [...await apply(engine, own.filter(({ fact }) => !isStart(fact)), journal, say)];
  const checks = found.around.kind === "template"
    ? []
    : await checkConfiguration(request, places, found.prefix, tools);
  if (exitCode(checks) === 0) {
    done.push(...await apply(engine, own.filter(({ fact }) => isStart(fact)), journal, say));
  }
  const findings = [...await verify(engine, wanted, journal.entries), ...checks];
  if (json) {
    printJson(setting, { changed: done.map(stepJson), verification: findings, next });
    return exitCode(findings);
  }
  setting.print(done.length === 0 ? "Nothing to change: all of it is so already.\n" : "\n");
  setting.print(findingsTable(findings));
  const missing = await stepsFor(engine, roots, journal.entries);
  if (missing.length > 0) setting.print(`\n${rootText(missing)}`);
  if (exitCode(findings) === 0) {
    setting.print(`\nWhat next:\n${next.map((line) => `  ${line}\n`).join("")}`);
  }
  return exitCode(findings);
}

function inTheWay({ text, hints }: Problem, more: readonly Problem[]): UserError {
  return new UserError(text, [
    ...hints,
    ...more.flatMap((one) => [`also: ${one.text}`, ...one.hints]),
    "nothing was changed",
  ]);
}

function problemFinding({ text, what, hints }: Problem): Finding {
  return { what: text, why: what, isSo: false, next: hints };
}

function checkUser({ isWrongUser }: Setting): void {
  if (!isWrongUser) return;
  throw new UserError("setup-vm is not for root", [
    "run it as the user that the agent is to run as; it asks sudo for what is root's",
  ]);
}

/** In a folder that may not be there yet. */
async function lockOf({ lock }: Places): Promise<Deno.FsFile> {
  await Deno.mkdir(dirname(lock), { recursive: true, mode: 0o700 });
  return await takeLock(lock, "setup-vm");
}

function printJson({ print }: Setting, value: unknown): number {
  print(JSON.stringify(value, null, 2) + "\n");
  return 0;
}
