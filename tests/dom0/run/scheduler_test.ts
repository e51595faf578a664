// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseVmName, type VmName } from "../../../shared/protocol/vm_name.ts";
import { createScheduler, type Scheduler, type SlotLimits } from "../../../dom0/run/scheduler.ts";
import { createPrng } from "../../fuzz/prng.ts";

const [A, B, C] = [parseVmName("a"), parseVmName("b"), parseVmName("c")];

interface Bench {
  readonly scheduler: Scheduler;
  /** Names of what was started, in order. */
  readonly started: string[];
  add(vm: VmName, name: string): () => boolean;
}

function bench(limits: SlotLimits): Bench {
  const scheduler = createScheduler(limits);
  const started: string[] = [];
  const add = (vm: VmName, name: string): () => boolean =>
    scheduler.enqueue(vm, () => void started.push(name)).withdraw;
  return { scheduler, started, add };
}

Deno.test("scheduler: starts at once while there are slots, in order", () => {
  const { started, add, scheduler } = bench({ parallel: 3, parallelPerVm: 3 });
  for (const name of ["a1", "a2", "a3", "a4"]) add(A, name);
  assertEquals(started, ["a1", "a2", "a3"]);
  scheduler.finished(A);
  assertEquals(started, ["a1", "a2", "a3", "a4"]);
});

Deno.test("scheduler: a VM at its own limit leaves the other slots to others", () => {
  const { started, add, scheduler } = bench({ parallel: 4, parallelPerVm: 2 });
  for (const name of ["a1", "a2", "a3", "a4"]) add(A, name);
  assertEquals(started, ["a1", "a2"]);
  for (const name of ["b1", "b2", "b3"]) add(B, name);
  assertEquals(started, ["a1", "a2", "b1", "b2"]);
  scheduler.finished(B);
  assertEquals(started.at(-1), "b3", "a slot of b's is no slot of a's");
});

// F20: in the original one VM starved the others.
Deno.test("scheduler: a VM with 1000 waiting delays the first of another by one slot at most", () => {
  const { started, add, scheduler } = bench({ parallel: 2, parallelPerVm: 2 });
  for (let n = 0; n < 1000; n++) add(A, `a${n}`);
  add(B, "b0");
  add(C, "c0");
  assertEquals(started, ["a0", "a1"]);
  for (let n = 0; n < 3; n++) scheduler.finished(A);
  assert(started.includes("b0") && started.includes("c0"), started.join());
});

Deno.test("scheduler: VMs take turns, however many wait", () => {
  const { started, add, scheduler } = bench({ parallel: 1, parallelPerVm: 1 });
  add(A, "a0");
  for (let n = 1; n < 50; n++) add(A, `a${n}`);
  for (let n = 0; n < 5; n++) add(B, `b${n}`);
  for (let n = 0; n < 5; n++) add(C, `c${n}`);
  const order: string[] = [];
  for (let n = 0; n < 16; n++) {
    const running = started.at(-1)?.charAt(0) ?? "";
    order.push(running);
    scheduler.finished(parseVmName(running));
  }
  for (const vm of ["a", "b", "c"]) {
    assertEquals(order.slice(1).filter((other) => other === vm).length, 5, order.join(""));
  }
});

Deno.test("scheduler: what is withdrawn does not start; what started cannot be withdrawn", () => {
  const { started, add, scheduler } = bench({ parallel: 1, parallelPerVm: 1 });
  const first = add(A, "a1");
  const [second, third] = [add(A, "a2"), add(A, "a3")];
  assertEquals([first(), second(), second()], [false, true, false]);
  scheduler.finished(A);
  assertEquals([started, third()], [["a1", "a3"], false]);
  scheduler.finished(A);
  assertThrows(() => scheduler.finished(A), Error, "bug");
});

Deno.test("scheduler: withdrawn from the middle, the others stay in their order", () => {
  const { started, add, scheduler } = bench({ parallel: 1, parallelPerVm: 1 });
  const withdraw = ["x", "a1", "a2", "a3", "a4"].map((name) => add(A, name));
  add(B, "b1");
  assertEquals(withdraw[2]?.(), true);
  for (const vm of [A, A, B, A]) {
    if (started.at(-1)?.startsWith("b") === (vm === B)) scheduler.finished(vm);
    else scheduler.finished(started.at(-1)?.startsWith("b") ? B : A);
  }
  assertEquals(started.filter((name) => name !== "b1"), ["x", "a1", "a3", "a4"]);
});

Deno.test("scheduler: larger limits start what waits, smaller ones stop nothing that runs", () => {
  const { started, add, scheduler } = bench({ parallel: 1, parallelPerVm: 1 });
  for (let n = 0; n < 10; n++) add(A, `a${n}`);
  for (let n = 0; n < 3; n++) add(B, `b${n}`);
  scheduler.setLimits({ parallel: 5, parallelPerVm: 3 });
  assertEquals(started.length, 5);
  assertEquals(started.filter((name) => name.startsWith("a")).length, 3);
  scheduler.setLimits({ parallel: 1, parallelPerVm: 1 });
  for (let n = 0; n < 2; n++) {
    scheduler.finished(A);
    scheduler.finished(B);
  }
  assertEquals(started.length, 5, "one still runs");
  scheduler.finished(A);
  assertEquals(started.length, 6);
});

Deno.test("scheduler: a start that ends at once leaves its slot to the next", () => {
  const scheduler = createScheduler({ parallel: 2, parallelPerVm: 1 });
  let started = 0;
  for (let n = 0; n < 500; n++) {
    scheduler.enqueue(A, () => {
      started++;
      queueMicrotask(() => scheduler.finished(A));
    });
  }
  return new Promise<void>((resolve) => setTimeout(resolve, 0)).then(() =>
    assertEquals(started, 500)
  );
});

for (let seed = 1; seed <= 40; seed++) {
  Deno.test(`scheduler: a random day, seed ${seed}`, () => {
    const random = createPrng(seed);
    const vms = [A, B, C, parseVmName("d"), parseVmName("e")];
    let limits: SlotLimits = { parallel: 1 + random.below(6), parallelPerVm: 1 + random.below(4) };
    const scheduler = createScheduler(limits);
    const running = new Map<VmName, number>(vms.map((vm) => [vm, 0]));
    const waiting: { vm: VmName; n: number; withdraw: () => boolean; passedBy: number }[] = [];
    const lastStarted = new Map<VmName, number>();
    let n = 0;
    const total = (): number => [...running.values()].reduce((sum, count) => sum + count, 0);
    const of = (vm: VmName): number => running.get(vm) ?? 0;
    const isFirst = (entry: { vm: VmName; n: number }): boolean =>
      waiting.find(({ vm }) => vm === entry.vm)?.n === entry.n;

    const onStart = (vm: VmName, number: number) => (): void => {
      assert(
        total() < limits.parallel && of(vm) < limits.parallelPerVm,
        `seed ${seed}: over a limit`,
      );
      assert((lastStarted.get(vm) ?? 0) < number, `seed ${seed}: out of order, or twice`);
      lastStarted.set(vm, number);
      running.set(vm, of(vm) + 1);
      const at = waiting.findIndex((entry) => entry.n === number);
      if (at !== -1) waiting.splice(at, 1);
      // The first of each other VM that could have had this slot waits for its turn only.
      for (const entry of waiting) {
        if (entry.vm === vm || !isFirst(entry) || of(entry.vm) >= limits.parallelPerVm) continue;
        entry.passedBy++;
        assert(entry.passedBy <= vms.length, `seed ${seed}: ${entry.vm} is passed over`);
      }
    };
    for (let step = 0; step < 600; step++) {
      const choice = random.below(20);
      const vm = random.oneIn(2) ? A : random.pick(vms); // one asks for more than the others
      if (choice < 9) {
        const number = ++n;
        let started = false;
        const start = onStart(vm, number);
        const { withdraw } = scheduler.enqueue(vm, () => {
          started = true;
          start();
        });
        if (!started) waiting.push({ vm, n: number, withdraw, passedBy: 0 });
      } else if (choice < 17) {
        const busy = vms.filter((other) => of(other) > 0);
        if (busy.length === 0) continue;
        const ended = random.pick(busy);
        running.set(ended, of(ended) - 1);
        scheduler.finished(ended);
      } else if (choice < 19 && waiting.length > 0) {
        const taken = random.pick(waiting);
        waiting.splice(waiting.indexOf(taken), 1);
        assertEquals(taken.withdraw(), true);
      } else if (choice === 19) {
        limits = { parallel: 1 + random.below(6), parallelPerVm: 1 + random.below(4) };
        scheduler.setLimits(limits);
      }
      const idleSlot = total() < limits.parallel;
      const couldRun = waiting.some((entry) => of(entry.vm) < limits.parallelPerVm);
      assert(
        !(idleSlot && couldRun),
        `seed ${seed}, step ${step}: a slot is idle, a command waits`,
      );
    }
  });
}
