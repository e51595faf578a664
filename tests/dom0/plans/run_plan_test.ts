// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { recogniseNamed, recogniseWords } from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { createView } from "../../../dom0/operations/view.ts";
import { parsePlan } from "../../../dom0/plans/plan.ts";
import { createPlanBoard } from "../../../dom0/plans/plan_board.ts";
import type { PlanView } from "../../../dom0/plans/plan_view.ts";
import { planSequence } from "../../../dom0/plans/run_plan.ts";
import type { Judgement } from "../../../dom0/policy/judge.ts";
import type { Action } from "../../../dom0/policy/rule.ts";
import { openAudit } from "../../../dom0/record/audit_log.ts";
import type { Ended, StopReason } from "../../../dom0/run/runner.ts";
import { type Sequence, StepRefused } from "../../../dom0/run/sequence.ts";
import type { Seen } from "../../../dom0/undo/undo_record.ts";
import { createUndoStore, type UndoStore } from "../../../dom0/undo/undo_store.ts";
import { undoSteps } from "../../../dom0/undo/undo_steps.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { EXIT_OF_KIND } from "../../../shared/protocol/outcome.ts";
import { auditPaths, requestId, stoppedClock, withFolder, WORK } from "../fixture.ts";
import { createQubeModel, type QubeModel } from "../undo/qube_model.ts";

const ID = requestId(1);

interface Wishes {
  /** What the policy says of an operation and its first target. */
  readonly decide?: (operation: string, target: string) => Action;
  readonly isApproved?: boolean;
  readonly hidden?: readonly string[];
  readonly afterwards?: () => string | null;
  readonly objection?: (step: number, before: Seen) => string | null;
  /** Each write of what an undo needs; may throw. */
  readonly onPut?: () => void;
  /** Somebody stops it when this many commands have run. */
  readonly stopAfter?: { readonly commands: number; readonly reason: StopReason };
}

interface Played {
  readonly ended: Ended | string;
  readonly lines: readonly Record<string, unknown>[];
  readonly said: string;
}

interface Scene {
  readonly model: QubeModel;
  readonly store: UndoStore;
  play(plan: unknown, wishes?: Wishes): Promise<Played>;
  events(): readonly string[];
  /** As a person is shown it. */
  shown(): PlanView;
}

/** Plays a sequence as the daemon runs it, on qubes in memory. */
async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const model = createQubeModel(["work", "lab"]);
    const { dateMs } = stoppedClock();
    const store = createUndoStore({ folder: `${folder}/undo`, dateMs });
    const paths = auditPaths(folder);
    const audit = openAudit({ ...paths, dateMs });
    await test({
      ...{ model, store },
      events: () =>
        Deno.readTextFileSync(paths.auditFile).trimEnd().split("\n").map((line) =>
          JSON.parse(line).event
        ),
      shown: () => JSON.parse(Deno.readTextFileSync(`${folder}/plans/${WORK}-${ID}.json`)),
      async play(plan, wishes = {}) {
        const { decide = () => "allow", hidden = [], onPut = () => {} } = wishes;
        const put: UndoStore["put"] = async (record) => {
          onPut();
          await store.put(record);
        };
        const sequence = planSequence(parsePlan(JSON.stringify(plan)), {
          ...{ vm: WORK, id: ID, isApproved: wishes.isApproved ?? false },
          judge({ name, pairs }) {
            const recognised = recogniseNamed(name, pairs.map(([key, value]) => `${key}=${value}`));
            const action = decide(name, String(recognised.touches[0] ?? "dom0"));
            const view = hidden.length === 0 ? null : createView({ hidden: new Set(hidden) });
            const judgement: Judgement = {
              plan: null,
              ...{ recognised, view, decision: { action, because: "test:1", options: {} } },
              again: () => Promise.resolve(judgement),
            };
            return Promise.resolve(judgement);
          },
          objection: (step, before) => wishes.objection?.(step.number, before) ?? null,
          progress: createPlanBoard({ folder: `${folder}/plans`, dateMs }).follow(
            parsePlan(JSON.stringify(plan)),
            { vm: WORK, id: ID, by: "work" },
          ),
          afterwards: () => Promise.resolve(wishes.afterwards?.() ?? null),
          keeper: { store: { put }, read: model.tools.read, dateMs },
          undo: (steps, mayGoOn) =>
            undoSteps(
              { vm: WORK, id: ID, steps, mayGoOn },
              { store: { ...store, put }, tools: model.tools, audit, dateMs },
            ),
        });
        return await play(sequence, model, wishes);
      },
    });
    audit.close();
  });
}

async function play(sequence: Sequence, model: QubeModel, { stopAfter }: Wishes): Promise<Played> {
  let printed = "";
  let said = "";
  let commands = 0;
  const print = (text: string): void => void (printed += text);
  const stopped = (): StopReason | null =>
    stopAfter !== undefined && commands >= stopAfter.commands ? stopAfter.reason : null;
  const runAll = async (): Promise<Ended> => {
    let ended: Ended = { kind: "done", exitCode: 0 };
    for (const step of sequence.steps) {
      try {
        const command = await step.begin(print);
        assert(command.mode === "argv");
        commands++;
        const { code, err } = await runOne(
          command.argv,
          model,
          (text) => step.output?.(1, utf8(text)),
        );
        if (err !== "") step.output?.(2, utf8(err));
        const reason = stopped();
        ended = reason === null
          ? { kind: "done", exitCode: code }
          : { kind: reason, exitCode: EXIT_OF_KIND[reason] };
        await step.end?.(ended, print);
      } catch (error) {
        if (!(error instanceof StepRefused)) throw error;
        said = error.message;
        return { kind: "done", exitCode: 1 };
      }
      if (ended.kind !== "done" || ended.exitCode !== 0) return ended;
    }
    return ended;
  };
  let ended: Ended | string;
  try {
    ended = await runAll();
    await sequence.finish?.(ended, print, stopped);
  } catch (error) {
    ended = String(error);
  }
  return { ended, said, lines: printed.split("\n").slice(0, -1).map((line) => JSON.parse(line)) };
}

async function runOne(
  argv: readonly string[],
  { tools }: QubeModel,
  print: (text: string) => void,
): Promise<{ readonly code: number; readonly err: string }> {
  const recognised = recogniseWords(argv);
  assert(recognised !== null, argv.join(" "));
  const { operation: { name, level, result }, values } = recognised;
  if (level !== "monitor") {
    const { code, said } = await tools.run(argv, 0).catch((error) => {
      if (error.message !== "power cut") return { code: 1, said: String(error) };
      throw error;
    });
    return { code, err: said };
  }
  print(result.format(await tools.read(name, values)));
  return { code: 0, err: "" };
}

const set = (vm: string, value: string): unknown => ({
  ...{ operation: "vm.prefs.set", vm, property: "memory", value },
});

Deno.test("a plan runs step by step, with results of earlier steps in later ones", () =>
  withScene(async ({ play, model }) => {
    const steps = [
      { operation: "vm.names", name: "all" },
      { operation: "vm.prefs.list", name: "prefs", vm: "${all.0}" },
      set("${all.1}", "${prefs.memory.value}0"),
    ];
    const { ended, lines } = await play({ steps });
    assertEquals(ended, { kind: "done", exitCode: 0 });
    assertEquals(lines, [
      {
        step: 1,
        name: "all",
        operation: "vm.names",
        outcome: "done",
        exit: 0,
        result: ["work", "lab"],
      },
      {
        ...{ step: 2, name: "prefs", operation: "vm.prefs.list", outcome: "done", exit: 0 },
        result: { memory: { value: "400", isDefault: false } },
      },
      { step: 3, operation: "vm.prefs.set", outcome: "done", exit: 0 },
      { plan: "done", steps: 3, done: 3 },
    ]);
    assertEquals(model.qubes.get("lab")?.memory, "4000");
  }));

Deno.test("a plan stops at the first failure, and says what was done", () =>
  withScene(async ({ play, model }) => {
    model.onRun = (argv) => argv[1] === "lab" ? "qvm-prefs: no memory" : null;
    const { ended, lines } = await play({
      steps: [set("work", "1"), set("lab", "2"), set("work", "3")],
    });
    assertEquals(ended, { kind: "done", exitCode: 1 });
    assertEquals(lines.slice(1), [
      {
        ...{ step: 2, operation: "vm.prefs.set", outcome: "failed", exit: 1 },
        stderr: "qvm-prefs: no memory",
      },
      { plan: "failed", steps: 3, done: 1 },
    ]);
    assertEquals(model.qubes.get("work")?.memory, "1");
  }));

Deno.test("a plan with undoOnFailure leaves all as it was, and says what it could not take back", () =>
  withScene(async ({ play, model, events }) => {
    const before = structuredClone(model.qubes);
    model.onRun = (argv) => argv[1] === "lab" ? "no memory" : null;
    const steps = [
      set("work", "1"),
      { operation: "vm.tags.add", vm: "work", tag: "x" },
      set("lab", "2"),
    ];
    const { lines } = await play({ steps, undoOnFailure: true });
    assertEquals(lines.at(-1), {
      ...{ plan: "failed", steps: 3, done: 2, undone: [3, 2, 1], notUndone: [] },
    });
    assertEquals(model.qubes, before);
    assertEquals(events(), ["plan-undo", "plan-undo-ended"]);
  }));

Deno.test("undoOnFailure: what cannot be undone stays, and does not keep the rest from it", () =>
  withScene(async ({ play, model }) => {
    model.onRun = (argv) => argv[0] === "qvm-start" ? "no memory" : null;
    const remove = { operation: "vm.remove", vm: "lab" };
    const steps = [set("work", "1"), remove, { operation: "vm.start", vm: "work" }];
    const { lines } = await play({ steps, undoOnFailure: true });
    assertEquals([lines.at(-1)?.["undone"], lines.at(-1)?.["notUndone"]], [[3, 1], [2]]);
    assertEquals([...model.qubes.keys()], ["work"]);
    assertEquals(model.qubes.get("work")?.memory, "400");
  }));

Deno.test("a value that comes in is read by its parameter's parser, and nothing else", () =>
  withScene(async ({ play, model }) => {
    model.qubes.set("work", {
      ...model.qubes.get("work") ?? { tags: [], rules: [], state: "Halted" },
      memory: "--default",
    });
    const read = { operation: "vm.prefs.list", name: "p", vm: "work" };
    for (
      const [value, says] of [
        ["${p.memory.value}", 'value: "--default" is not a value'],
        ["${p.memory}", "${p.memory} is more than one value"],
        ["${p.nothing.value}", "${p.nothing.value} is nothing"],
      ]
    ) {
      const { ended, lines, said } = await play({ steps: [read, set("lab", value ?? "")] });
      assertEquals(ended, { kind: "done", exitCode: 1 });
      assertEquals([lines[1]?.["outcome"], lines[1]?.["stderr"], said], [
        ...["refused", says, `step 2: ${says}`],
      ]);
      assertEquals(lines.at(-1), { plan: "failed", steps: 2, done: 1 });
    }
    assertEquals(model.ran, []);
  }));

Deno.test("a step whose target turns out not to be allowed ends the plan before it", () =>
  withScene(async ({ play, model }) => {
    const steps = [
      { operation: "vm.names", name: "all" },
      set("${all.0}", "1"),
      set("${all.1}", "2"),
    ];
    const decide = (_: string, target: string): Action => target === "lab" ? "deny" : "allow";
    const { lines, said } = await play({ steps }, { decide });
    assertEquals(said, "step 3: the policy in dom0 does not allow it");
    assertEquals(lines.map(({ outcome, plan }) => outcome ?? plan), [
      "done",
      "done",
      "refused",
      "failed",
    ]);
    // The same of a qube that there is not: nothing tells the one from the other.
    const other = await play({ steps: [steps[0], set("other", "1")] }, { decide: () => "deny" });
    const hidden = await play({ steps: [steps[0], set("lab", "1")] }, { decide: () => "deny" });
    assertEquals(other.lines, hidden.lines);
    assertEquals(model.ran, ["qvm-prefs work memory 1"]);
  }));

Deno.test("a step that asks runs if a person said yes to the whole, else it ends the plan", () =>
  withScene(async ({ play, model }) => {
    const plan = { steps: [set("work", "1")] };
    const { said } = await play(plan, { decide: () => "ask" });
    assert(said.startsWith("step 1: the policy wants a person"), said);
    assertEquals(model.ran, []);
    const { lines } = await play(plan, { decide: () => "ask", isApproved: true });
    assertEquals(lines.at(-1), { plan: "done", steps: 1, done: 1 });
  }));

Deno.test("a yes to the whole is none to a step that destroys what nobody saw", () =>
  withScene(async ({ play, model }) => {
    const steps = [{ operation: "vm.names", name: "all" }, {
      operation: "vm.remove",
      vm: "${all.1}",
    }];
    // When the plan was sent the rules allowed it; since then they ask.
    const { said } = await play({ steps }, { decide: () => "ask", isApproved: true });
    assert(said.startsWith("step 2: the policy wants a person"), said);
    assert(model.qubes.has("lab"));
    const seen = { operation: "vm.remove", vm: "lab" };
    assertEquals(
      (await play({ steps: [seen] }, { decide: () => "ask", isApproved: true })).said,
      "",
    );
    assert(!model.qubes.has("lab"));
  }));

Deno.test("results and messages hold no name of a qube that may not be seen, nor do variables", () =>
  withScene(async ({ play, model }) => {
    model.onRun = () => "qvm-prefs: lab is in the way";
    const steps = [{ operation: "vm.names", name: "all" }, set("${all.0}", "1")];
    const { lines } = await play({ steps }, { hidden: ["lab"] });
    assertEquals(lines[0]?.["result"], ["work"]);
    assert(!JSON.stringify(lines).includes("lab"), JSON.stringify(lines));
  }));

Deno.test("what dom0 does itself after a step counts as a part of it", () =>
  withScene(async ({ play }) => {
    const { lines, ended } = await play(
      { steps: [set("work", "1"), set("work", "2")], undoOnFailure: true },
      { afterwards: () => "work could not be given the tag ai" },
    );
    assertEquals(ended, { kind: "done", exitCode: 1 });
    assertEquals([lines[0]?.["outcome"], lines[0]?.["stderr"]], [
      ...["failed", "work could not be given the tag ai"],
    ]);
    assertEquals(lines.at(-1)?.["undone"], [1]);
  }));

for (
  const [reason, isUndone] of [["cancelled", true], ["locked-down", false], [
    "revoked",
    false,
  ]] as const
) {
  Deno.test(`a plan that is ${reason} in its middle is ${isUndone ? "" : "not "}undone`, () =>
    withScene(async ({ play, model }) => {
      const steps = [set("work", "1"), set("lab", "2"), set("work", "3")];
      const { lines } = await play(
        { steps, undoOnFailure: true },
        { stopAfter: { commands: 2, reason } },
      );
      const { plan, undone, notUndone } = lines.at(-1) ?? {};
      const [all, none] = [[2, 1], [] as number[]];
      assertEquals([plan, undone, notUndone], [
        ...["stopped", isUndone ? all : none, isUndone ? none : all.toReversed()],
      ]);
      assertEquals(model.qubes.get("work")?.memory, isUndone ? "400" : "1");
    }));
}

Deno.test("an operation of several commands is one step, and what an undo needs is kept once", () =>
  withScene(async ({ play, store }) => {
    assert((OPERATIONS.get("vm.restart")?.steps.length ?? 0) === 2);
    const { lines } = await play({
      steps: [{ operation: "vm.restart", vm: "work" }, set("work", "1")],
    });
    assertEquals(lines.map(({ step, plan }) => step ?? plan), [1, 2, "done"]);
    assertEquals((await store.list()).map(({ step, exitCode }) => [step, exitCode]), [[2, 0]]);
  }));

Deno.test("a crash at any write or run of a plan: all that was changed can be undone after it", async () => {
  const steps = [
    set("work", "800"),
    { operation: "vm.create", vm: "new", label: "red" },
    { operation: "vm.tags.add", vm: "new", tag: "ai" },
    set("lab", "900"),
  ];
  let calm = 0;
  for (let crashAt = 1; calm <= 0; crashAt++) {
    await withScene(async ({ play, model, store }) => {
      const before = structuredClone(model.qubes);
      calm = crashAt;
      const crash = (): null => {
        if (--calm === 0) throw new Error("power cut");
        return null;
      };
      model.onRun = crash;
      await play({ steps }, { onPut: crash });
      model.onRun = () => null;
      const kept = await store.find(ID);
      assert(kept.every(({ status }) => status === "kept"), "nothing is called undone");
      await withFolder(async (folder) => {
        const { dateMs } = stoppedClock();
        const audit = openAudit({ ...auditPaths(folder), dateMs });
        const all = { vm: WORK, id: ID, steps: [1, 2, 3, 4], mayGoOn: () => true };
        const undone = await undoSteps(all, { store, tools: model.tools, audit, dateMs });
        assertEquals(undone.length, kept.length, `crash ${crashAt}`);
        audit.close();
      });
      assertEquals(model.qubes, before, `crash ${crashAt}`);
    });
    assert(calm <= 0 || crashAt > 8, `only ${crashAt} crashes`);
  }
});

Deno.test("a person is shown what each step is, what became of it, and what was taken back", () =>
  withScene(async ({ play, model, shown }) => {
    model.onRun = (argv) => argv[1] === "lab" ? "no memory" : null;
    const steps = [{ operation: "vm.names", name: "all" }, set("work", "1"), set("lab", "2")];
    await play({ steps: [...steps, set("work", "3")], undoOnFailure: true });
    const { state, steps: all, notUndone, by } = shown();
    assertEquals([state, notUndone, by], ["failed", [], "work"]);
    assertEquals(all.map((step) => step.state), ["done", "undone", "undone", "waiting"]);
    assertEquals([all[0]?.result, all[2]?.said, all[2]?.exit], ['["work","lab"]', "no memory", 1]);
    const memory = (value: string) => ({ value: { value, isDefault: false } });
    assertEquals([all[1]?.before, all[1]?.after], [memory("400"), memory("1")]);
    assertEquals(all[3]?.text, "step 4: vm.prefs.set vm=work property=memory value=3");
  }));

Deno.test("a step that somebody objects to does not run, and what was done is taken back", () =>
  withScene(async ({ play, model, shown, store }) => {
    const objection = (step: number, before: Seen): string | null =>
      step === 2 ? `it is ${JSON.stringify(before?.value)} now` : null;
    const { said } = await play(
      { steps: [set("work", "1"), set("lab", "2")], undoOnFailure: true },
      { objection },
    );
    assertEquals(said, 'step 2: it is {"value":"400","isDefault":false} now');
    assertEquals(shown().steps.map(({ state }) => state), ["undone", "refused"]);
    assertEquals([...model.qubes.values()].map(({ memory }) => memory), ["400", "400"]);
    const kept = (await store.find(ID)).map(({ step, status }) => [step, status]);
    assertEquals(kept, [[1, "undone"]], "nothing is kept of what did not run");
  }));

Deno.test("a plan that is cut off says what was not taken back", () =>
  withScene(async ({ play, shown }) => {
    const stopAfter = { commands: 2, reason: "locked-down" } as const;
    await play({ steps: [set("work", "1"), set("lab", "2")], undoOnFailure: true }, { stopAfter });
    const { state, steps, notUndone } = shown();
    assertEquals([state, notUndone], ["stopped", [1, 2]]);
    assertEquals(steps.map((step) => step.state), ["done", "failed"]);
  }));
