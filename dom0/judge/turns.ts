// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests of a VM are judged in the order in which they came, however long their MACs take. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";

/** @returns gives what `work` comes to, after that of all calls before for the same VM */
export function createTurns(): <T>(vm: VmName, work: Promise<T>) => Promise<T> {
  const turns = new Map<VmName, Promise<unknown>>();
  return async (vm, work) => {
    const mine = Promise.allSettled([turns.get(vm), work]);
    turns.set(vm, mine);
    await mine;
    if (turns.get(vm) === mine) turns.delete(vm);
    return await work;
  };
}
