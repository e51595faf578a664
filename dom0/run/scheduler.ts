// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whose command runs next. VMs take turns, however much one of them asks for; there is a limit for
 * each and one for all. Pure: it only calls what it was given, and has no clock.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";

export interface SlotLimits {
  readonly parallel: number;
  readonly parallelPerVm: number;
}

export interface Scheduler {
  /** Calls `start` once, now or later. The returned function withdraws it if it still waits. */
  enqueue(vm: VmName, start: () => void): { readonly withdraw: () => boolean };
  /** A command of this VM has ended. */
  finished(vm: VmName): void;
  setLimits(limits: SlotLimits): void;
}

interface Waiting {
  readonly start: () => void;
}

export function createScheduler(firstLimits: SlotLimits): Scheduler {
  // In order of turn: the VM that was served last stands last.
  const queues = new Map<VmName, Waiting[]>();
  const running = new Map<VmName, number>();
  let limits = firstLimits;
  let total = 0;

  const nextVm = (): VmName | undefined => {
    for (const [vm, queue] of queues) {
      if (queue.length > 0 && (running.get(vm) ?? 0) < limits.parallelPerVm) return vm;
    }
    return undefined;
  };
  const startWhatMay = (): void => {
    while (total < limits.parallel) {
      const vm = nextVm();
      if (vm === undefined) return;
      const queue = queues.get(vm) ?? [];
      const next = queue.shift();
      queues.delete(vm);
      if (queue.length > 0) queues.set(vm, queue);
      running.set(vm, (running.get(vm) ?? 0) + 1);
      total++;
      next?.start();
    }
  };
  return {
    enqueue(vm, start) {
      const waiting: Waiting = { start };
      queues.set(vm, [...queues.get(vm) ?? [], waiting]);
      startWhatMay();
      return {
        withdraw() {
          const queue = queues.get(vm) ?? [];
          const left = queue.filter((other) => other !== waiting);
          if (left.length === 0) queues.delete(vm);
          else queues.set(vm, left);
          return left.length < queue.length;
        },
      };
    },
    finished(vm) {
      const left = (running.get(vm) ?? 0) - 1;
      if (left < 0) throw new Error("bug: more commands ended than started");
      if (left === 0) running.delete(vm);
      else running.set(vm, left);
      total--;
      startWhatMay();
    },
    setLimits(changed) {
      limits = changed;
      startWhatMay();
    },
  };
}
