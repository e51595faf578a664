// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The link to one VM: session after session, with a pause between them that grows. A VM that
 * is halted is not called: the link sleeps until the VM's qrexec socket appears.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { errorText } from "../../shared/io/program.ts";
import { pause } from "../../shared/io/timing.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Audit } from "../record/audit_log.ts";
import { createBackoff, type SessionEnd } from "./backoff.ts";
import type { StoredKey } from "../settings/key_store.ts";
import { type CallService, describeExit, stderrFlood } from "./qrexec.ts";
import { createRefusalBudget } from "./refusal_budget.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import { AUDITED_CHARS } from "../judge/request_event.ts";
import { runSession } from "./vm_session_loop.ts";

export type LinkState = "connecting" | "connected" | "waiting" | "stopped";

export interface VmLink {
  readonly vm: VmName;
  readonly key: StoredKey;
  state(): LinkState;
  /** Why the last session ended, for "status"; null before the first end. */
  lastEnd(): string | null;
  /** Something suggests that the VM is there now: do not wait any longer. */
  wake(): void;
  /** Ends the session and the link. Resolves when both are over. */
  stop(): Promise<void>;
  /** Resolves when one session has ended (for --once). */
  firstSession(): Promise<void>;
}

export interface LinkOptions {
  readonly vm: VmName;
  readonly key: StoredKey;
  readonly vmUser: () => string;
  readonly callService: CallService;
  /** Whether a call would be in vain for sure. */
  readonly isHalted: (vm: VmName) => boolean;
  readonly desk: RequestDesk;
  readonly audit: Audit;
  readonly clock: Pick<Clock, "spanMs" | "every">;
  readonly onChange: () => void;
  /** See SessionOptions; other than 0, the link ends with its first session. */
  readonly endWhenIdleMs: number;
}

export function openVmLink(options: LinkOptions): VmLink {
  const { vm, key, audit, clock, onChange, endWhenIdleMs } = options;
  const stopping = new AbortController();
  const backoff = createBackoff();
  const budget = createRefusalBudget();
  const firstEnd = Promise.withResolvers<void>();
  let state: LinkState = "connecting";
  let lastEnd: string | null = null;
  let wakeUp: () => void = () => {};

  const setState = (next: LinkState): void => {
    state = next;
    onChange();
  };
  /** Until something suggests that the VM is there, the end of the link, or that long. */
  const rest = async (ms: number): Promise<void> => {
    if (stopping.signal.aborted) return;
    const woken = new AbortController();
    wakeUp = () => woken.abort();
    await pause(ms, woken.signal);
    wakeUp = () => {};
  };

  /** One call of the service, from start to end. */
  const oneSession = async (): Promise<SessionEnd> => {
    if (options.isHalted(vm)) {
      lastEnd = "the VM is halted";
      return { kind: "no-connection" };
    }
    const startedMs = clock.spanMs();
    let wasReady = false;
    const call = options.callService(vm, options.vmUser(), "");
    const onReady = (): void => {
      wasReady = true;
      audit.record("connected", { vm, key: key.key.fingerprint });
      setState("connected");
    };
    let violation: ProtocolError | null = null;
    let silence: string | null = null;
    try {
      const { silentMs } = await runSession({ ...options, call, budget, onReady }, stopping.signal);
      if (silentMs !== null) silence = `nothing heard for ${Math.round(silentMs / 1000)} s`;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error.violation !== "cut-off") violation = error;
    }
    const ended = await call.ended;
    violation = stderrFlood(ended) ?? violation;
    if (violation !== null) {
      lastEnd = violation.message;
      const unrecorded = budget.takeUnrecorded();
      audit.record("violation", {
        ...{
          vm,
          violation: violation.violation,
          detail: violation.message.slice(0, AUDITED_CHARS),
        },
        ...(unrecorded === 0 ? {} : { refusals_not_recorded: unrecorded }),
      });
      return { kind: "violation" };
    }
    lastEnd = stopping.signal.aborted ? "stopped" : silence ?? describeExit(ended);
    if (!wasReady) return { kind: "no-connection" };
    audit.record("disconnected", { vm, why: lastEnd });
    return { kind: "lost", lastedMs: clock.spanMs() - startedMs };
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      setState("connecting");
      let end: SessionEnd;
      try {
        end = await oneSession();
      } catch (error) {
        // A disk that refuses the audit, a qrexec-client that is not there: said, and tried again.
        lastEnd = errorText(error);
        console.error(`${vm}: ${lastEnd}`);
        end = { kind: "no-connection" };
      }
      firstEnd.resolve();
      if (endWhenIdleMs !== 0) break;
      setState("waiting");
      await rest(backoff.nextWaitMs(end));
    }
    setState("stopped");
  };
  const running = run();
  return {
    vm,
    key,
    state: () => state,
    lastEnd: () => lastEnd,
    wake: () => wakeUp(),
    firstSession: () => firstEnd.promise,
    async stop() {
      stopping.abort();
      wakeUp();
      await running;
    },
  };
}
