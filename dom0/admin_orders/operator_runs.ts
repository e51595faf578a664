// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What runs for the operator right now, within the limits of all commands: each can be ended by its
 * id, and all of it at once.
 *
 * @module
 */

import { newRequestId } from "../../shared/io/new_request_id.ts";
import { UserError } from "../../shared/cli/program.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import type { Admission } from "../judge/admission.ts";
import type { GroupChoice } from "../run/group_choice.ts";
import type { Ended, StopReason } from "../run/runner.ts";
import { type Sequence, startSequence } from "../run/sequence.ts";
import type { Settings } from "../settings/settings.ts";

export interface OperatorRunsOptions {
  readonly groups: Pick<GroupChoice, "groups" | "wardens" | "markPrefix">;
  readonly settings: () => Settings;
  readonly workFolder: string;
  readonly dateMs: () => number;
  readonly admission: Pick<Admission, "closed">;
}

export interface Started {
  readonly id: string;
  readonly sequence: Sequence;
  readonly timeoutSeconds: number;
  /** Called with output as it comes; the bytes may be reused once it returns. */
  readonly onOutput: (stream: StreamNumber, bytes: Uint8Array) => void;
}

export interface OperatorRuns {
  newId(): string;
  /** @throws {UserError} dom0 is locked down */
  refuseLockdown(): void;
  /** Resolves when it has ended. */
  run(started: Started): Promise<Ended>;
  /** @returns false if it does not run */
  stop(id: string, reason: StopReason): boolean;
  /** Nothing is started from now on. Resolves when nothing runs. */
  close(reason: StopReason): Promise<void>;
  stopAll(reason: StopReason): void;
  /** The ids of what runs. */
  running(): readonly string[];
}

export function createOperatorRuns(options: OperatorRunsOptions): OperatorRuns {
  const { groups, settings, workFolder, dateMs, admission } = options;
  const running = new Map<string, ReturnType<typeof startSequence>>();
  let marks = 0;
  let isClosed = false;
  const stopAll = (reason: StopReason): void => {
    for (const { stop } of running.values()) stop(reason);
  };
  return {
    newId: () => newRequestId(dateMs()),
    refuseLockdown() {
      if (!settings().lockdown) return;
      throw new UserError("dom0 is locked down: nothing is changed until somebody unlocks");
    },
    async run({ id, sequence, timeoutSeconds, onOutput }) {
      for (let closed; (closed = admission.closed()) !== null;) await closed;
      if (isClosed) throw new UserError("the daemon is stopping");
      const { maxProcesses, maxMemoryBytes, maxOutputBytes, path } = settings().config;
      const started = startSequence({
        ...sequence,
        onOutput,
        path,
        workFolder,
        newMark: () => `${groups.markPrefix}op${++marks}`,
        groups: groups.groups,
        wardens: groups.wardens,
        environment: { QVM_REMOTE_ID: id },
        limits: { timeoutMs: timeoutSeconds * 1000, maxProcesses, maxMemoryBytes, maxOutputBytes },
      });
      running.set(id, started);
      return await started.ended.finally(() => running.delete(id));
    },
    stop(id, reason) {
      const found = running.get(id);
      found?.stop(reason);
      return found !== undefined;
    },
    stopAll,
    running: () => [...running.keys()],
    async close(reason) {
      isClosed = true;
      stopAll(reason);
      await Promise.allSettled([...running.values()].map(({ ended }) => ended));
    },
  };
}
