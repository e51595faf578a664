// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The link to one VM: session after session, with a pause between them that grows. A VM that
 * is halted is not called: the link sleeps until the VM's qrexec socket appears.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { errorText } from "../../shared/cli/program.ts";
import { pause } from "../../shared/io/timing.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Audit } from "../record/audit_log.ts";
import { createBackoff, type SessionEnd } from "./backoff.ts";
import type { StoredKey } from "../settings/key_store.ts";
import { type CallService, describeExit, stderrFlood } from "./qrexec.ts";
import { createRefusalBudget, type RefusalBudget } from "./refusal_budget.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import { AUDITED_CHARS } from "../judge/request_event.ts";
import { runSession, type SessionOptions } from "./vm_session_loop.ts";

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
  const { vm, key, onChange, endWhenIdleMs } = options;
  const stopping = new AbortController();
  const backoff = createBackoff();
  const budget = createRefusalBudget();
  const sleep = createSleep(stopping.signal);
  const firstEnd = Promise.withResolvers<void>();
  let state: LinkState = "connecting";
  let lastEnd: string | null = null;
  const setState = (next: LinkState): void => {
    state = next;
    onChange();
  };
  const callOnce = async (): Promise<SessionEnd> => {
    setState("connecting");
    try {
      const onConnected = (): void => setState("connected");
      const ended = await oneSession(options, budget, stopping.signal, onConnected);
      lastEnd = ended.why;
      return ended.end;
    } catch (error) {
      // A disk that refuses the audit, a qrexec-client that is not there: said, and tried again.
      lastEnd = errorText(error);
      console.error(`${vm}: ${lastEnd}`);
      return { kind: "no-connection" };
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const end = await callOnce();
      firstEnd.resolve();
      if (endWhenIdleMs !== 0) break;
      setState("waiting");
      await sleep.rest(backoff.nextWaitMs(end));
    }
    setState("stopped");
  };
  const running = run();
  return {
    vm,
    key,
    state: () => state,
    lastEnd: () => lastEnd,
    wake: sleep.wake,
    firstSession: () => firstEnd.promise,
    async stop() {
      stopping.abort();
      sleep.wake();
      await running;
    },
  };
}

interface Sleep {
  /** Until something suggests that the VM is there, the end of the link, or that long. */
  rest(ms: number): Promise<void>;
  wake(): void;
}

function createSleep(ended: AbortSignal): Sleep {
  let wakeUp = (): void => {};
  return {
    async rest(ms) {
      if (ended.aborted) return;
      const woken = new AbortController();
      wakeUp = () => woken.abort();
      await pause(ms, woken.signal);
      wakeUp = () => {};
    },
    wake: () => wakeUp(),
  };
}

interface EndedSession {
  readonly end: SessionEnd;
  /** For "status". */
  readonly why: string;
}

/** One call of the service, from start to end. */
async function oneSession(
  options: LinkOptions,
  budget: RefusalBudget,
  stopping: AbortSignal,
  onConnected: () => void,
): Promise<EndedSession> {
  const { vm, key, audit, clock } = options;
  if (options.isHalted(vm)) return { end: { kind: "no-connection" }, why: "the VM is halted" };
  const startedMs = clock.spanMs();
  let wasReady = false;
  const call = options.callService(vm, options.vmUser(), "");
  const onReady = (): void => {
    wasReady = true;
    audit.record("connected", { vm, key: key.key.fingerprint });
    onConnected();
  };
  const { silence, ...heard } = await listen({ ...options, call, budget, onReady }, stopping);
  const ended = await call.ended;
  const violation = stderrFlood(ended) ?? heard.violation;
  if (violation !== null) {
    recordViolation(violation, budget, options);
    return { end: { kind: "violation" }, why: violation.message };
  }
  const why = stopping.aborted ? "stopped" : silence ?? describeExit(ended);
  if (!wasReady) return { end: { kind: "no-connection" }, why };
  audit.record("disconnected", { vm, why });
  return { end: { kind: "lost", lastedMs: clock.spanMs() - startedMs }, why };
}

interface Heard {
  readonly violation: ProtocolError | null;
  /** What is said of a VM that was silent for too long. */
  readonly silence: string | null;
}

/** The session itself; a call that ends inside a frame has only ended. */
async function listen(session: SessionOptions, stopping: AbortSignal): Promise<Heard> {
  try {
    const { silentMs } = await runSession(session, stopping);
    const silence = silentMs === null ? null : `nothing heard for ${Math.round(silentMs / 1000)} s`;
    return { violation: null, silence };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { violation: error.violation === "cut-off" ? null : error, silence: null };
  }
}

function recordViolation(
  { violation, message }: ProtocolError,
  budget: RefusalBudget,
  { vm, audit }: LinkOptions,
): void {
  const detail = message.slice(0, AUDITED_CHARS);
  const unrecorded = budget.takeUnrecorded();
  audit.record("violation", {
    vm,
    violation,
    detail,
    ...(unrecorded === 0 ? {} : { refusals_not_recorded: unrecorded }),
  });
}
