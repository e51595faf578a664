// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a person allowed for a while: a VM may do the same again, or the same operation to the same
 * qubes with other values, without a question. A grant answers what the policy asks; it never
 * allows what the policy denies. It ends by itself, with the VM's key, with a lockdown, and with the
 * daemon, which keeps it in memory only.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

export interface Granted {
  readonly vm: VmName;
  readonly operation: string;
  readonly targets: readonly string[];
  /** SHA-256 of what runs. */
  readonly ran: string;
}

export interface Grant extends Granted {
  readonly number: number;
  /** With any values. */
  readonly anyValues: boolean;
  readonly untilMs: number;
  /** Who gave it. */
  readonly by: string;
}

export interface Grants {
  add(granted: Granted, terms: { anyValues: boolean; forMs: number; by: string }): Grant;
  /** The one that covers it now. */
  find(asked: Granted): Grant | null;
  list(): readonly Grant[];
  /** @returns the one that is ended; null if there is none of that number */
  revoke(number: number): Grant | null;
  /** Ends those of a VM, or all. */
  end(vm?: VmName): void;
}

export function createGrants(clock: Pick<Clock, "dateMs" | "spanMs">): Grants {
  // Checked by both clocks: setting the clock back must not lengthen a grant.
  let kept: readonly (Grant & { readonly untilSpanMs: number })[] = [];
  let last = 0;
  const dropEnded = (): void => {
    kept = kept.filter(({ untilMs, untilSpanMs }) =>
      clock.dateMs() < untilMs && clock.spanMs() < untilSpanMs
    );
  };
  return {
    add(granted, { anyValues, forMs, by }) {
      const grant = {
        ...granted,
        number: ++last,
        anyValues,
        by,
        untilMs: clock.dateMs() + forMs,
        untilSpanMs: clock.spanMs() + forMs,
      };
      kept = [...kept, grant];
      return grant;
    },
    find(asked) {
      dropEnded();
      return kept.find((grant) => covers(grant, asked)) ?? null;
    },
    list() {
      dropEnded();
      return kept.map(({ untilSpanMs: _, ...grant }) => grant);
    },
    revoke(number) {
      dropEnded();
      const grant = kept.find((one) => one.number === number) ?? null;
      kept = kept.filter((one) => one !== grant);
      return grant;
    },
    end(vm) {
      kept = vm === undefined ? [] : kept.filter((grant) => grant.vm !== vm);
    },
  };
}

function covers(grant: Grant, { vm, operation, targets, ran }: Granted): boolean {
  return grant.vm === vm && grant.operation === operation &&
    grant.targets.length === targets.length &&
    grant.targets.every((target, index) => target === targets[index]) &&
    (grant.anyValues || grant.ran === ran);
}
