// SPDX-License-Identifier: GPL-2.0-or-later
/** What runs in the dom0 in memory: runs that print, and plans that are done or taken back. @module */

import type {
  Dom0Channel,
  RunChunk,
  RunResult,
  StepUndo,
} from "../../../dom0/admin/channel/dom0_channel.ts";
import { Dom0Error } from "../../../dom0/admin/channel/dom0_channel.ts";
import type { PlannedChange } from "../../../dom0/admin_orders/operator_plan.ts";
import type { RunEnd, RunHead, RunPart } from "../../../dom0/admin_orders/run_output.ts";
import { settingText } from "../../../dom0/admin_orders/setting_text.ts";
import { ParameterError } from "../../../dom0/operations/parameter.ts";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { CHANGES } from "../../../dom0/operations/undo.ts";
import { parsePlan } from "../../../dom0/plans/plan.ts";
import {
  newPlanView,
  type PlanView,
  withBegun,
  withEnd,
  withSeen,
  withStepEnd,
} from "../../../dom0/plans/plan_view.ts";

type Values = Readonly<Record<string, string>>;

/** One that waits to be told what it prints, and when it ends. */
export interface FakeRun {
  readonly head: RunHead;
  readonly parts: RunPart[];
  end: RunEnd | null;
  print(text: string, stream?: 1 | 2): void;
  finish(more?: Partial<RunEnd>): void;
}

export interface FakeRuns {
  readonly all: FakeRun[];
  /** Runs end only when a test says so. */
  isHeld: boolean;
  plans: PlanView[];
  undo: StepUndo[];
}

/** What a plan changes of the dom0 in memory. */
interface QubeParts {
  readonly prefs: Map<string, string>;
  readonly tags: Set<string>;
  readonly services: Map<string, string>;
}

interface Dom0Parts {
  readonly qubes: ReadonlyMap<string, QubeParts>;
  readonly runs: FakeRuns;
  changed(): void;
}

type RunPartOfChannel = Pick<
  Dom0Channel,
  | "begin"
  | "beginShell"
  | "cancel"
  | "readRun"
  | "runs"
  | "followRun"
  | "plans"
  | "beginPlan"
  | "undoState"
  | "undoPlan"
  | "preview"
>;

export interface FakeRunParts {
  readonly dom0: Dom0Parts;
  readonly run: (operation: string, values: Values) => RunResult;
  readonly did: (what: string, by: string) => void;
  readonly nowMs: number;
}

export function fakeRunChannel({ dom0, run, did, nowMs }: FakeRunParts): RunPartOfChannel {
  const { runs } = dom0;
  const followers = new Map<string, Set<() => void>>();
  let ids = 0;
  const newId = (): string => `20261128-143140-1-${(++ids).toString(16).padStart(8, "0")}`;
  const begin = (operation: string, values: Values, by: string, result: () => RunResult) => {
    const head = { id: newId(), by, operation, values, begunMs: nowMs };
    const told = (): void => followers.get(head.id)?.forEach((tell) => tell());
    const made: FakeRun = {
      ...{ head, parts: [], end: null },
      print(text, stream = 1) {
        made.parts.push({ stream, text });
        told();
      },
      finish(more = {}) {
        made.end = { ...{ kind: "done", exitCode: 0, value: null, endedMs: nowMs }, ...more };
        told();
      },
    };
    runs.all.push(made);
    if (!runs.isHeld) {
      const { stdout, stderr, exitCode, value } = result();
      if (stdout !== "") made.print(stdout);
      if (stderr !== "") made.print(stderr, 2);
      made.finish({ exitCode, value });
    }
    return Promise.resolve({ id: head.id });
  };
  const find = (id: string): FakeRun | undefined => runs.all.find(({ head }) => head.id === id);
  return {
    async begin(operation, values, by) {
      await Promise.resolve(refuseBad(operation, values));
      did(`run ${operation} ${JSON.stringify(values)}`, by);
      return await begin(operation, values, by, () => run(operation, values));
    },
    beginShell(script, by) {
      did(`shell ${JSON.stringify(script)}`, by);
      const stdout = `ran ${script.length} characters\n`;
      const result = { exitCode: 0, stdout, stderr: "", value: null };
      return begin("shell", { script }, by, () => result);
    },
    async cancel(id, by) {
      const found = find(id);
      await Promise.resolve(did(`cancel ${id}`, by));
      if (found === undefined || found.end !== null) throw new Dom0Error("It has ended already.");
      found.finish({ kind: "cancelled", exitCode: 130 });
    },
    runs: () => Promise.resolve(runs.all.map(({ head, end }) => ({ head, end })).toReversed()),
    readRun: (id, from) => Promise.resolve(chunkOf(find(id), from)),
    followRun(id, onChange) {
      const own = followers.get(id) ?? new Set();
      followers.set(id, own.add(onChange));
      return () => void own.delete(onChange);
    },
    preview: (operation) =>
      Promise.resolve({
        lines: [
          { kind: "removed", text: `${operation}: as it is` },
          { kind: "added", text: `${operation}: as it would be` },
        ],
        notes: [],
      }),
    plans: () => Promise.resolve(runs.plans),
    beginPlan(changes, by) {
      const id = newId();
      did(`plan of ${changes.length}`, by);
      const view = playPlan(changes, { vm: "dom0", id, by }, { dom0, run, nowMs });
      runs.plans = [view, ...runs.plans];
      runs.undo = view.steps.filter(({ state }) => state === "done")
        .map(({ number }) => ({ step: number, isUndone: false, hasWay: true }));
      dom0.changed();
      return Promise.resolve({ id });
    },
    undoState: () => Promise.resolve(runs.undo),
    async undoPlan({ vm, id }, by) {
      await Promise.resolve(did(`undo plan ${vm}/${id}`, by));
      runs.undo = runs.undo.map((one) => ({ ...one, isUndone: true }));
      return { id: newId() };
    },
  };
}

function chunkOf(found: FakeRun | undefined, from: number): RunChunk | null {
  if (found === undefined) return null;
  const { head, parts, end } = found;
  return { head: from === 0 ? head : null, parts: parts.slice(from), end, next: parts.length };
}

/** As dom0's own plan runner does it, on the qubes in memory. */
function playPlan(
  changes: readonly PlannedChange[],
  owner: { readonly vm: string; readonly id: string; readonly by: string },
  { dom0, run, nowMs }: Pick<FakeRunParts, "dom0" | "run" | "nowMs">,
): PlanView {
  const steps = changes.map(({ operation, values }) => ({ operation, ...values }));
  const plan = parsePlan(JSON.stringify({ steps, undoOnFailure: true }));
  const saved = [...dom0.qubes.values()].map((qube) => ({ qube, old: copyOf(qube) }));
  let view = newPlanView(plan, owner, nowMs);
  const done: number[] = [];
  for (const { number, operation: { name: operation }, known } of plan.steps) {
    const change = changes[number - 1];
    const of = CHANGES.get(operation);
    if (change === undefined || of === undefined) throw new Error("a plan of other changes");
    const reads = OPERATIONS.get(of.reads)?.parameters ?? new Map();
    const toRead = Object.entries(change.values).filter(([key]) => reads.has(key));
    const before = of.part(run(of.reads, Object.fromEntries(toRead)).value, known);
    view = withSeen(withBegun(view, number), number, { value: before });
    const head = { step: number, operation };
    const isConflict = settingText(operation, change.values, before) !== change.before;
    const { exitCode, stderr } = isConflict
      ? { exitCode: 1, stderr: "its value changed meanwhile" }
      : run(operation, change.values);
    const outcome = isConflict ? "refused" : exitCode === 0 ? "done" : "failed";
    const exit = isConflict ? null : exitCode;
    const after = of.part(run(of.reads, Object.fromEntries(toRead)).value, known);
    const said = stderr === "" ? {} : { stderr };
    view = withStepEnd(view, { ...head, outcome, exit, ...said }, { value: after }, nowMs);
    if (outcome === "done") {
      done.push(number);
      continue;
    }
    for (const { qube, old } of saved) restore(qube, old);
    const end = { plan: "failed", steps: plan.steps.length, done: done.length } as const;
    return withEnd(view, { ...end, undone: done, notUndone: [] }, nowMs);
  }
  return withEnd(view, { plan: "done", steps: done.length, done: done.length }, nowMs);
}

function restore(qube: QubeParts, { prefs, tags, services }: QubeParts): void {
  for (const now of [qube.prefs, qube.tags, qube.services]) now.clear();
  for (const [name, value] of prefs) qube.prefs.set(name, value);
  for (const [name, value] of services) qube.services.set(name, value);
  for (const tag of tags) qube.tags.add(tag);
}

function copyOf({ prefs, tags, services }: QubeParts): QubeParts {
  return { prefs: new Map(prefs), tags: new Set(tags), services: new Map(services) };
}

/** As the daemon does. */
function refuseBad(operation: string, values: Values): void {
  try {
    recogniseNamed(operation, Object.entries(values).map(([key, value]) => `${key}=${value}`));
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new Dom0Error(error.message);
  }
}
