// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertRejects } from "@std/assert";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { type SequenceStep, StepRefused } from "../../../dom0/run/sequence.ts";
import type { UndoRecord } from "../../../dom0/undo/undo_record.ts";
import { undoableSteps } from "../../../dom0/undo/undoable_steps.ts";
import { createQubeModel } from "./qube_model.ts";

const print = (): void => {};
const asked = { vm: "agent", id: "20261122-091500-1-00000001", step: null };

interface Scene {
  readonly records: UndoRecord[];
  readonly steps: readonly SequenceStep[];
}

function sceneOf(call: string, put?: () => Promise<void>): Scene {
  const [name = "", ...pairs] = call.split(" ");
  const records: UndoRecord[] = [];
  const { read } = createQubeModel(["work"]).tools;
  const store = {
    put: put ?? ((record: UndoRecord) => Promise.resolve(void records.push(record))),
  };
  const steps = undoableSteps(recogniseNamed(name, pairs), asked, { store, read, dateMs: () => 5 });
  return { records, steps };
}

Deno.test("undoable steps: what is there is kept before the first command is named", async () => {
  const { records, steps: [step] } = sceneOf("vm.tags.add vm=work tag=ai");
  assertEquals(await step?.begin(print), { mode: "argv", argv: ["qvm-tags", "work", "add", "ai"] });
  assertEquals(records.map(({ exitCode }) => exitCode), [null]);
  await step?.end?.({ kind: "done", exitCode: 0 }, print);
  assertEquals(records.map(({ exitCode }) => exitCode), [null, 0]);
});

Deno.test("undoable steps: kept once for all commands of one operation, and after the last one", async () => {
  for (const [ends, exitCodes] of [[[0, 0], [null, 0]], [[3], [null, 3]]] as const) {
    const { records, steps } = sceneOf("vm.rename vm=work new_vm=new");
    assertEquals(steps.length, 2);
    for (const [at, exitCode] of ends.entries()) {
      await steps[at]?.begin(print);
      await steps[at]?.end?.({ kind: "done", exitCode }, print);
    }
    assertEquals(records.map(({ exitCode }) => exitCode), [...exitCodes]);
  }
});

Deno.test("undoable steps: a disk that does not keep it stops the operation before it runs", async () => {
  const { steps: [step] } = sceneOf(
    "vm.tags.add vm=work tag=ai",
    () => Promise.reject(new Error("no space left")),
  );
  await assertRejects(() => Promise.resolve(step?.begin(print)), StepRefused, "no space left");
});

Deno.test("undoable steps: an operation that cannot be undone runs as it is", async () => {
  const { records, steps: [step] } = sceneOf("vm.remove vm=work");
  assertEquals(await step?.begin(print), { mode: "argv", argv: ["qvm-remove", "--force", "work"] });
  assertEquals([records, step?.end], [[], undefined]);
});
