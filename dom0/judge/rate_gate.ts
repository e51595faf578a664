// SPDX-License-Identifier: GPL-2.0-or-later
/** The rate limits where requests come in: what counts against which, and what the operator is told. @module */

import type { Clock } from "../../shared/io/clock.ts";
import type { OutcomeKind } from "../../shared/protocol/outcome.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import type { StoredKey } from "../settings/key_store.ts";
import { createRateLimits, type RateSettings } from "./rate_limit.ts";

export const RATE_LIMITED: RefusalReason = "rate-limited";

export interface RateGate {
  /** Before its signature is looked at. */
  mayBeHeard(vm: VmName, stored: StoredKey): boolean;
  /** Once for each request that may be heard. */
  wasSigned(vm: VmName, isWell: boolean): void;
  /** Before it is taken. */
  mayAsk(vm: VmName): boolean;
  /** What became of a request; its reason, if it was refused. */
  ended(vm: VmName, end: OutcomeKind): void;
  /** For "status". */
  problems(): readonly string[];
}

export interface RateGateOptions {
  readonly config: () => RateSettings;
  readonly audit: Audit;
  readonly clock: Pick<Clock, "spanMs" | "dateMs">;
  readonly onChange: () => void;
  /** The person at the screen hears of it, once for each back-off; null: nobody is to be told. */
  readonly tellBackedOff: ((vm: VmName) => void) | null;
}

/** Ends that dom0 caused. A command that an operator or its VM ended is not a failure. */
const FAILURES: ReadonlySet<OutcomeKind> = new Set([
  "refused",
  "output-limit",
  "process-limit",
  "memory-limit",
  "bad-stream",
]);

export function createRateGate(
  { config, audit, clock, onChange, tellBackedOff }: RateGateOptions,
): RateGate {
  const limits = createRateLimits(config);
  const keys = new Map<VmName, string>();
  return {
    mayBeHeard(vm, { key: { fingerprint } }) {
      if ((keys.get(vm) ?? fingerprint) !== fingerprint) limits.forget(vm);
      keys.set(vm, fingerprint);
      return !limits.isBackedOff(vm, clock.spanMs());
    },
    wasSigned(vm, isWell) {
      if (isWell) return limits.wellSigned(vm) ? onChange() : undefined;
      if (!limits.badlySigned(vm, clock.spanMs())) return;
      recordQuietly(audit, "auth-backoff", { vm });
      tellBackedOff?.(vm);
      onChange();
    },
    mayAsk: (vm) => limits.mayAsk(vm, clock.spanMs()),
    ended(vm, end) {
      if (FAILURES.has(end)) limits.failed(vm, clock.spanMs());
    },
    problems: () =>
      limits.backedOff(clock.spanMs()).map(({ vm, forMs }) => {
        const until = new Date(clock.dateMs() + forMs).toISOString();
        return `${vm}: its requests are not signed with the key that dom0 has and are ignored ` +
          `until ${until}; "authorize --fetch ${vm}" takes a new key`;
      }),
  };
}

/** For a dry run. */
export const NO_RATE_GATE: RateGate = {
  mayBeHeard: () => true,
  wasSigned() {},
  mayAsk: () => true,
  ended() {},
  problems: () => [],
};
