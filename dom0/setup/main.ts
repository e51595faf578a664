// SPDX-License-Identifier: GPL-2.0-or-later
/** setup, verify and undo, over given tools, paths and a terminal. @module */

import type { Journal } from "../../shared/setup/journal.ts";
import { UserError } from "../../shared/cli/program.ts";
import { VERSION } from "../../shared/io/version.ts";
import { apply, stepsFor, takeLock, undo, verify } from "../../shared/setup/engine.ts";
import { exitCode, findingsTable } from "../../shared/setup/findings.ts";
import { createEngine } from "./apply.ts";
import type { Fact, Wanted } from "./fact.ts";
import { HELP, INTER_VM_WARNING } from "./help.ts";
import { networkWarning } from "./network_rules.ts";
import type { SetupPaths } from "./paths.ts";
import { leftovers, planUndo, type Step, type Undo } from "./plan.ts";
import { createReader } from "./reader.ts";
import { record } from "./record.ts";
import { stepJson, stepText, undoText, whatNext } from "./report.ts";
import { type Invocation, parseInvocation, type SetupRequest } from "./request.ts";
import { type Survey, survey } from "./survey.ts";
import type { Tools } from "./tools.ts";
import { wantedFor } from "./wanted.ts";

export interface Setting {
  readonly paths: SetupPaths;
  readonly tools: Tools;
  /** False in tests and demos, where the folders are the user's own. */
  readonly needsRoot: boolean;
  readonly print: (text: string) => void;
  readonly warn: (text: string) => void;
  /** One line that the person types; null at the end of input. */
  readonly ask: (question: string) => string | null;
}

/** @returns the exit code */
export async function runSetup(setting: Setting, words: readonly string[]): Promise<number> {
  try {
    return await run(setting, words);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new UserError(error.message, ["put sudo in front of it"]);
  }
}

async function run(setting: Setting, words: readonly string[]): Promise<number> {
  const invocation = parseInvocation(words);
  const { action } = invocation;
  switch (action.kind) {
    case "help":
      setting.print(HELP);
      return 0;
    case "version":
      setting.print(`setup-dom0 ${VERSION}\n`);
      return 0;
    case "undo":
      return await runUndo(setting, invocation, action.removeVms);
    case "verify":
      return await runVerify(setting, invocation, action.request);
    case "setup":
      return invocation.dryRun
        ? await runDry(setting, invocation, action.request)
        : await runReal(setting, invocation, action.request);
  }
}

interface Prepared extends Survey {
  readonly wanted: readonly Wanted[];
  readonly journal: Journal<Fact>;
}

async function prepare(setting: Setting, request: SetupRequest): Promise<Prepared> {
  const { paths, tools } = setting;
  const entries = await record.read(paths.record);
  const found = await survey(request, paths, entries, tools);
  const wanted = wantedFor(request, found.around);
  return {
    ...found,
    wanted: [...leftovers(wanted, entries), ...wanted],
    journal: { path: paths.record, entries },
  };
}

async function runDry(
  setting: Setting,
  { json }: Invocation,
  request: SetupRequest,
): Promise<number> {
  const { wanted, notes, journal } = await prepare(setting, request);
  const steps = await stepsFor(createEngine(setting.tools), wanted, journal.entries);
  if (json) return printJson(setting, { notes, steps: steps.map(stepJson) });
  for (const note of notes) setting.print(`# note: ${note}\n`);
  for (const step of steps) setting.print(`${stepText(step)}\n`);
  setting.print(`# ${steps.length} changes; nothing was changed\n`);
  return 0;
}

async function runVerify(
  setting: Setting,
  { json }: Invocation,
  request: SetupRequest,
): Promise<number> {
  const { wanted, journal, notes } = await prepare(setting, request);
  const findings = await verify(createEngine(setting.tools), wanted, journal.entries);
  if (json) printJson(setting, { notes, verification: findings });
  else setting.print(findingsTable(findings));
  return exitCode(findings);
}

async function runReal(
  setting: Setting,
  invocation: Invocation,
  request: SetupRequest,
): Promise<number> {
  requireRoot(setting);
  using _lock = await takeLock(setting.paths.lock, "setup-dom0");
  const { wanted, journal, notes, around, lostNetvm } = await prepare(setting, request);
  for (const note of notes) setting.warn(`note: ${note}\n`);
  if (request.withInterVm) setting.warn(INTER_VM_WARNING);
  if (request.mode === "network") {
    const ports = [request.proxyPort, request.gatewayPort];
    const netvms = around.hops.map(({ vm }) => vm);
    setting.warn(networkWarning(request.agent, request.ip, ports, netvms));
    confirm(setting, invocation, "set up network mode");
  }
  if (lostNetvm !== undefined) {
    setting.warn(
      `${request.agent} loses its network (its netvm is ${lostNetvm}): what runs in it is cut off ` +
        "at once, and reaches\nthe models through the key qube only.\n",
    );
    confirm(setting, invocation, `take ${request.agent} off the network`);
  }
  const say = (step: Step) => invocation.json || setting.print(`${progress(step)}\n`);
  const done = await apply(createEngine(setting.tools), wanted, journal, say);
  const findings = await verify(createEngine(setting.tools), wanted, journal.entries);
  if (invocation.json) {
    printJson(setting, { notes, changed: done.map(stepJson), verification: findings });
    return exitCode(findings);
  }
  setting.print(done.length === 0 ? "Nothing to change: all of it is so already.\n" : "\n");
  setting.print(findingsTable(findings));
  if (exitCode(findings) === 0) setting.print(`\n${whatNext(request)}`);
  return exitCode(findings);
}

function progress({ fact, to, why }: Step): string {
  const [title = ""] = stepText({ fact, to, why, from: null, commands: [] }).split("\n");
  return title.slice("# ".length);
}

async function runUndo(
  setting: Setting,
  invocation: Invocation,
  removeVms: boolean,
): Promise<number> {
  const { paths, tools } = setting;
  const isDry = invocation.dryRun;
  if (!isDry) requireRoot(setting);
  const entries = await record.read(paths.record);
  if (entries.length === 0) {
    if (invocation.json) printJson(setting, { undo: [] });
    else setting.print("Nothing to take back: setup-dom0 has no record of a change.\n");
    return 0;
  }
  using _lock = isDry ? undefined : await takeLock(paths.lock, "setup-dom0");
  // Again, now that no other setup is at work.
  const journal: Journal<Fact> = { path: paths.record, entries: await record.read(paths.record) };
  const undos = await planUndo(createReader(tools), journal.entries, removeVms);
  if (isDry && !invocation.json) {
    for (const one of undos) setting.print(undoText(one, true));
    setting.print("# nothing was changed\n");
    return 0;
  }
  if (!isDry) {
    confirmRemoval(setting, invocation, undos);
    const say = (one: Undo) => invocation.json || setting.print(undoText(one, false));
    await undo(createEngine(tools), undos, journal, say);
    if (journal.entries.length === 0) await removeStateFolder(paths);
  }
  if (invocation.json) {
    printJson(setting, {
      undo: undos.map(({ action, entry }) =>
        action.kind === "step"
          ? { ...stepJson(action.step), result: isDry ? "planned" : "done" }
          : {
            kind: entry.fact.kind,
            result: action.kind === "left" ? "kept" : action.kind,
            why: action.why,
          }
      ),
    });
  }
  return 0;
}

function confirmRemoval(
  setting: Setting,
  invocation: Invocation,
  undos: readonly Undo[],
): void {
  const names = undos.flatMap(({ entry: { fact }, action }) =>
    fact.kind === "vm" && action.kind === "step" ? [fact.vm] : []
  );
  if (names.length === 0) return;
  setting.warn(`This removes ${names.join(" and ")} with all data in it. It cannot be undone.\n`);
  confirm(setting, invocation, `remove ${names.join(" and ")}`);
}

/** @throws {UserError} unless the person says yes */
function confirm({ ask }: Setting, { yes }: Invocation, what: string): void {
  if (yes || ask(`Type "yes" to ${what}: `)?.trim() === "yes") return;
  throw new UserError("stopped; nothing was changed", [
    "--dry-run shows what would be done; --yes answers the question",
  ]);
}

function requireRoot({ needsRoot }: Setting): void {
  if (needsRoot && Deno.uid() !== 0) {
    throw new UserError("setup-dom0 must run as root", ["put sudo in front of it"]);
  }
}

/** After everything was taken back, nothing of setup is left. */
async function removeStateFolder({ stateFolder }: SetupPaths): Promise<void> {
  try {
    await Deno.remove(stateFolder);
  } catch {
    // Another program keeps something there.
  }
}

function printJson(setting: Setting, value: unknown): number {
  setting.print(JSON.stringify(value, null, 1) + "\n");
  return 0;
}
