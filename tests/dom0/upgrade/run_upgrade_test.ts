// SPDX-License-Identifier: GPL-2.0-or-later
/** Each step of an upgrade fails, and is cut off, in turn: it always ends whole, or says how it goes on. @module */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import {
  type Step,
  STEPS,
  unfinishedText,
  type UpgradeRecord,
} from "../../../dom0/upgrade/record.ts";
import { backFrom, goOn, type UpgradeActions } from "../../../dom0/upgrade/run_upgrade.ts";

const BEGUN: UpgradeRecord = {
  way: "forward",
  step: "keep",
  kind: "rpm",
  files: [{ name: "qvm-remote-dom0-2.rpm", sha256: "0".repeat(64) }],
  from: "1.0",
  formats: { ledger: 1 },
  wasRunning: true,
  touched: false,
  startedAt: "2026-11-22T09:15:00.000Z",
  by: "ann",
  failure: null,
};

/** A machine with a daemon on it: what the steps change. */
interface Machine {
  programs: "old" | "new" | "half";
  kept: boolean;
  running: boolean;
  /** As on the disk. */
  record: UpgradeRecord;
  readonly said: string[];
}

/** What ends the program in the middle of a step, as SIGKILL does: nothing that comes after it happens. */
class Killed extends Error {}

interface Trouble {
  /** The nth call of an action; counted over all of them. */
  readonly at?: number;
  readonly by?: "failure" | "kill";
  /** These fail whenever they are done with the new programs. */
  readonly broken?: readonly Step[];
}

function actionsOn(machine: Machine, { at = 0, by = "failure", broken = [] }: Trouble = {}) {
  let calls = 0;
  let isDead = false;
  const step = (name: Step, half: () => void, whole: () => void) => () => {
    if (isDead) throw new Error(`bug: ${name} after the end`);
    calls++;
    if (calls === at) {
      half();
      isDead = by === "kill";
      return Promise.reject(isDead ? new Killed() : new UserError(`${name} failed`));
    }
    if (broken.includes(name) && machine.programs === "new") {
      return Promise.reject(new UserError(`${name} is broken`));
    }
    whole();
    return Promise.resolve();
  };
  const none = (): void => {};
  const actions: UpgradeActions = {
    keep: step("keep", none, () => machine.kept = true),
    stop: step("stop", none, () => machine.running = false),
    install: step("install", () => machine.programs = "half", () => {
      assert(machine.kept && !machine.running, "installed under a daemon that runs");
      machine.programs = "new";
    }),
    try: step("try", none, () => assert(machine.programs !== "half")),
    start: step("start", none, () => machine.running = machine.record.wasRunning),
    check: step("check", none, () => assert(machine.programs !== "half")),
    putBack: step("put-back", () => machine.programs = "half", () => {
      assert(machine.kept && !machine.running);
      machine.programs = "old";
    }),
    save(record) {
      if (!isDead) machine.record = record;
      return Promise.resolve();
    },
    say(text) {
      machine.said.push(text);
      return Promise.resolve();
    },
  };
  return { actions, calls: () => calls, isDead: () => isDead };
}

function machineNow(): Machine {
  return { programs: "old", kept: false, running: true, record: BEGUN, said: [] };
}

/** A killed program does nothing more: what it would still have done is not looked at. */
async function untilEnd(machine: Machine, trouble: Trouble): Promise<unknown> {
  const { actions } = actionsOn(machine, trouble);
  return await goOn(machine.record, actions).then(() => null, (error) => error);
}

Deno.test("an upgrade that goes well: every step once, in its order, and it says how to go back", async () => {
  const machine = machineNow();
  const steps: Step[] = [];
  const { actions } = actionsOn(machine);
  const ended = await goOn(BEGUN, {
    ...actions,
    save(record) {
      steps.push(record.step);
      return actions.save(record);
    },
  });
  assertEquals(steps, [...STEPS.forward]);
  assertEquals([ended.step, machine.programs, machine.running], ["done", "new", true]);
  assertEquals(machine.said, ['upgraded; "qvm-remote-dom0 upgrade --rollback" goes back to 1.0']);
  assertEquals(unfinishedText(ended), null);
});

Deno.test("each step fails in turn: what was there runs again, and that is said", async () => {
  let failures = 0;
  for (const [index, name] of STEPS.forward.slice(0, -1).entries()) {
    const machine = machineNow();
    const error = await untilEnd(machine, { at: index + 1 });
    assert(error instanceof UserError, String(error));
    const nothing = name === "keep" || name === "stop";
    const says = nothing
      ? `not upgraded, and nothing was changed: ${name} failed`
      : `not upgraded, 1.0 is back: ${name}: ${name} failed`;
    assertEquals(error.message, says);
    assertEquals([name, machine.programs, machine.running], [name, "old", true]);
    assertEquals([machine.record.way, machine.record.step], ["back", "done"]);
    assertEquals(machine.said.length, nothing ? 0 : 2);
    failures++;
  }
  assertEquals(failures, 6);
});

Deno.test("killed in each step: the next program says where it stopped, goes on, or goes back", async () => {
  let kills = 0;
  for (const next of ["resume", "rollback"] as const) {
    for (const [index, name] of STEPS.forward.slice(0, -1).entries()) {
      const machine = machineNow();
      await untilEnd(machine, { at: index + 1, by: "kill" });
      assertEquals([machine.record.way, machine.record.step], ["forward", name]);
      const says = unfinishedText(machine.record) ?? "";
      assert(says.startsWith(`an upgrade stopped at the step "${name}": `), says);
      machine.running ||= name !== "stop"; // as after a boot
      if (next === "rollback" && !machine.record.touched) {
        assertThrows(() => backFrom(machine.record), UserError, "before anything was changed");
        continue;
      }
      const record = next === "resume" ? machine.record : backFrom(machine.record);
      const ended = await goOn(record, actionsOn(machine).actions);
      assertEquals([ended.step, machine.running], ["done", true]);
      assertEquals(machine.programs, next === "resume" ? "new" : "old");
      kills++;
    }
  }
  assertEquals(kills, 6 + 4);
});

Deno.test("new programs that do not work: killed on the way back, too, it goes on back", async () => {
  let kills = 0;
  for (let at = 5;; at++) { // keep, stop, install, try; then the way back
    const machine = machineNow();
    const error = await untilEnd(machine, { at, by: "kill", broken: ["try"] });
    const { way, step } = machine.record;
    if (step === "done") {
      assert(error instanceof UserError && error.message.startsWith("not upgraded, 1.0 is back"));
      break;
    }
    assertEquals([way, STEPS.back[at - 5]], ["back", step]);
    assert(unfinishedText(machine.record)?.startsWith("a return to the programs before stopped"));
    const later = await assertRejects(() => goOn(machine.record, actionsOn(machine).actions));
    assert(
      later instanceof UserError && later.message.startsWith("not upgraded, 1.0 is back: try"),
    );
    assertEquals([machine.programs, machine.running], ["old", true]);
    kills++;
  }
  assertEquals(kills, 5);
});

Deno.test("the way back fails: said with the step, and it can be gone on with", async () => {
  const machine = machineNow();
  const error = await untilEnd(machine, { at: 6, broken: ["try"] });
  assert(error instanceof UserError);
  assertEquals(error.message, "could not go back to 1.0: put-back: put-back failed");
  assertEquals(error.hints, ['when that is mended: "qvm-remote-dom0 upgrade --resume"']);
  await assertRejects(() => goOn(machine.record, actionsOn(machine).actions), UserError, "is back");
  assertEquals([machine.programs, machine.running], ["old", true]);
});

Deno.test("gone on with after a boot while VMs' commands run: nothing is undone, and it waits", async () => {
  const machine = machineNow();
  await untilEnd(machine, { at: 3, by: "kill" });
  machine.running = true;
  const error = await untilEnd(machine, { at: 1 });
  assert(error instanceof UserError);
  assertEquals(error.message, "the upgrade has not gone on: stop failed");
  assertEquals([machine.record.way, machine.record.touched], ["forward", true]);
  await goOn(machine.record, actionsOn(machine).actions);
  assertEquals([machine.programs, machine.running], ["new", true]);
});

Deno.test("what can be taken back: once, and nothing that was not begun", () => {
  const refused = (record: UpgradeRecord | undefined, says: string): void =>
    void assertThrows(() => backFrom(record), UserError, says);
  refused(undefined, "there was no upgrade");
  refused({ ...BEGUN, way: "back", step: "done" }, "was taken back already: 1.0 is there");
  refused(BEGUN, "stopped before anything was changed");
  const done = { ...BEGUN, step: "done", touched: true } as const;
  assertEquals(backFrom(done), { ...done, way: "back", step: "stop" });
});
