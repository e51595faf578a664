// SPDX-License-Identifier: GPL-2.0-or-later
/** status, queue, check-config: what is configured and what is going on. @module */

import { unknownCommand } from "../../../shared/cli/did_you_mean.ts";
import { runningRequests } from "../../daemon/running_requests.ts";
import { exists } from "../../../shared/io/files.ts";
import { expectWords, parseWords } from "../../../shared/cli/options.ts";
import { UserError } from "../../../shared/cli/program.ts";
import type { QueueEntry, QueueReport } from "../../../shared/protocol/message.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import { tryInstanceLock } from "../../daemon/instance_lock.ts";
import { createKeyStore } from "../../settings/key_store.ts";
import { createOutcomeStore } from "../../record/outcome_store.ts";
import { limitsText } from "../../run/group_choice.ts";
import { recordAction } from "../../operator/acting.ts";
import { type Operator, requireRoot } from "../operator.ts";
import { vmFromWord } from "../../operator/vm_word.ts";
import { askQueue, type Question } from "../../session/queue_question.ts";
import { readSettings } from "../../settings/settings.ts";
import { type DaemonState, readDaemonState } from "../../daemon/state_file.ts";

export async function status(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 status [--json]");
  const state = await readDaemonState(operator.paths);
  const problems = state?.problems ?? (await settingsOf(operator)).problems;
  if (options.has("json")) {
    operator.print(JSON.stringify({ running: state !== undefined, problems, ...state }) + "\n");
  } else {
    operator.print(state === undefined ? "The daemon is not running.\n" : describe(state));
    for (const problem of problems) operator.print(`problem: ${problem}\n`);
  }
  return state === undefined ? 1 : 0;
}

function describe(state: DaemonState): string {
  const head = `qvm-remote-dom0 ${state.version} is running (pid ${state.pid}, since ` +
    `${state.startedAt})\n${state.lockdown ? "LOCKDOWN: nothing runs until unlock\n" : ""}` +
    `${limitsText(state.limits)}\n${parkedText(state)}`;
  const rows = state.vms.map(({ vm, state, open, parked, kept, acceptsV1, lastEnd }) => {
    const why = state === "connected" || lastEnd === null ? "" : `  (${lastEnd})`;
    const running = runningRequests({ open, parked });
    return `${vm.padEnd(32)}${state.padEnd(12)}running=${running.length} kept=${kept}` +
      `${acceptsV1 ? " accepts-v1" : ""}${why}\n` +
      running.map((id) => `  runs ${id}\n`).join("");
  });
  return head + (rows.length === 0 ? "It serves no VM.\n" : rows.join(""));
}

function parkedText({ parked, grants }: DaemonState): string {
  if (parked + grants.length === 0) return "";
  return `${parked} waiting for an answer (see "pending"), ${grants.length} grants (see "grants")\n`;
}

export async function checkConfig(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 check-config [--json]");
  const { problems, config, keys } = await settingsOf(operator);
  const limits = (await readDaemonState(operator.paths))?.limits ?? null;
  if (options.has("json")) {
    operator.print(JSON.stringify({ ok: problems.length === 0, problems, config, limits }) + "\n");
  } else {
    for (const problem of problems) operator.print(`${problem}\n`);
    operator.print(
      limits === null
        ? "limits of commands: known only while the daemon is running\n"
        : `${limitsText(limits)}\n`,
    );
    if (problems.length === 0) {
      operator.print(`Configuration, keys and policy are good; VMs served: ${keys.size}.\n`);
    }
  }
  return problems.length === 0 ? 0 : 1;
}

function settingsOf({ paths, environment }: Operator): ReturnType<typeof readSettings> {
  const keyStore = createKeyStore(paths.keyFolder);
  return readSettings({ paths, keyStore, environment, onlyVms: [] }, null);
}

const QUEUE_ACTIONS: ReadonlyMap<string, Question> = new Map<string, Question>([
  ["status", "status"],
  ["clean", "clean"],
  ["recover", "recover"],
  ["debug", "list"],
]);

export async function queue(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  const [action = "status", ...vmWords] = options.rest;
  const question = QUEUE_ACTIONS.get(action);
  if (question === undefined) {
    const usage = '"queue status|clean|recover|debug"';
    throw unknownCommand("queue command", action, [...QUEUE_ACTIONS.keys()], usage);
  }
  expectWords(vmWords, 0, 1, `qvm-remote-dom0 queue [--json] ${action} [VM]`);
  const changes = question === "clean" || question === "recover";
  if (changes) requireRoot(operator, `queue ${action}`);
  const vms = vmWords[0] === undefined
    ? (await settingsOf(operator)).config?.vms ?? []
    : [vmFromWord(vmWords[0])];
  if (vms.length === 0) operator.warn("No VMs configured.\n");
  if (question === "recover") await recoverHere(operator);

  const rows: QueueRow[] = [];
  for (const vm of vms) rows.push(await askOne(operator, vm, question));
  if (changes) await recordAction(operator, `queue-${action}`, { vms });
  if (options.has("json")) operator.print(JSON.stringify(rows) + "\n");
  else for (const row of rows) operator.print(describeRow(row));
  return rows.some((row) => row.error !== undefined) ? 1 : 0;
}

/** Without a daemon, requests that an earlier one left unanswered get their outcome here. */
async function recoverHere(operator: Operator): Promise<void> {
  const { paths } = operator;
  if (!await exists(paths.libFolder)) return;
  using lock = await tryInstanceLock(paths.libFolder);
  if (lock === null) return;
  const kept = createOutcomeStore(paths.outcomeFolder).recover();
  for (const { request, wasInterrupted } of kept) {
    if (!wasInterrupted) continue;
    await recordAction(operator, "queue-recover", { vm: request.vm, id: request.id });
    operator.print(`${request.vm}: ${request.id} is answered as interrupted\n`);
  }
}

interface QueueRow {
  readonly vm: VmName;
  readonly error?: string;
  readonly report?: QueueReport;
  readonly entries?: readonly QueueEntry[];
  /** In dom0: requests that run, and outcomes not fetched. */
  readonly running?: readonly string[];
  readonly kept?: number;
}

async function askOne({ paths }: Operator, vm: VmName, question: Question): Promise<QueueRow> {
  const state = await readDaemonState(paths);
  const known = state?.vms.find((other) => other.vm === vm);
  const here = known === undefined ? { vm } : {
    vm,
    running: runningRequests(known),
    kept: known.kept,
  };
  try {
    const answer = await askQueue(vm, question);
    switch (answer.kind) {
      case "report": {
        const { pending, running, results, removed } = answer;
        return { ...here, report: { pending, running, results, removed } };
      }
      case "listing":
        return { ...here, entries: answer.entries };
      case "key":
        return { ...here, error: "the VM answered another question" };
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...here, error: error.message };
  }
}

function describeRow(row: QueueRow): string {
  const { vm, error, report, entries, kept = 0 } = row;
  const here = `dom0: running=${row.running?.length ?? 0} kept=${kept}`;
  if (error !== undefined) return `${vm}: ${here}; ${error}\n`;
  if (report !== undefined) {
    const { pending, running, results, removed } = report;
    const did = removed === 0 ? "" : ` removed=${removed}`;
    return `${vm}: queue=[P=${pending} R=${running} D=${results}]${did}; ${here}\n`;
  }
  const lines = (entries ?? []).map(({ folder, bytes, untrustedName }) =>
    `  ${folder.padEnd(8)} ${String(bytes).padStart(10)} ${printable(untrustedName, 120)}\n`
  );
  return `${vm}: ${here}; ${lines.length} entries\n${lines.join("")}`;
}
