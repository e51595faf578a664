// SPDX-License-Identifier: GPL-2.0-or-later
/** The desk of --dry-run: judges as the real one does, says what it would do, does nothing. @module */

import type { Clock } from "../../shared/io/clock.ts";
import { describeCommand } from "../../shared/protocol/command.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import { checkFreshness } from "../../shared/protocol/freshness.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { SHELL } from "../operations/table.ts";
import type { Judge } from "../policy/judge.ts";
import type { StoredKey } from "../settings/key_store.ts";
import type { Ledger } from "../record/ledger.ts";
import type { RequestDesk } from "./request_desk.ts";
import { authenticateEvent, commandOrNull } from "./request_event.ts";

export interface DryRunOptions {
  readonly judge: Judge;
  readonly closedBecause: (vm: VmName, key: StoredKey) => RefusalReason | null;
  readonly ledger: Ledger;
  readonly clock: Pick<Clock, "dateMs">;
  readonly say: (line: string) => void;
}

export function createDryRunDesk(options: DryRunOptions): RequestDesk {
  const { ledger, clock, say } = options;
  const judge = async (request: AuthenticRequest, stored: StoredKey): Promise<string> => {
    const stale = checkFreshness(request, clock.dateMs()) ?? ledger.objection(request);
    const command = commandOrNull(request);
    const refused = stale ?? (command === null ? "bad-body" : null) ??
      options.closedBecause(request.vm, stored);
    if (refused !== null || command === null) return `would refuse: ${refused}`;
    const { decision: { action, because }, recognised } = await options.judge(request.vm, command);
    const text = printable(describeCommand(command), 200);
    const would = action === "allow" ? "would run" : `would refuse (${action})`;
    return `${would}, ${recognised?.operation.name ?? SHELL}, ${because}: ${text}`;
  };
  return {
    async receive(vm, stored, event) {
      const id = event.kind === "request" ? event.request.fields.id : event.request.id;
      const request = event.kind === "request-v1" && !stored.acceptsV1
        ? "v1-not-accepted"
        : await authenticateEvent(event, stored.key, vm) ?? "bad-mac";
      const verdict = typeof request === "string"
        ? `would refuse: ${request}`
        : request.vm !== vm
        ? "would refuse: wrong-vm"
        : await judge(request, stored);
      say(`dry run: vm=${vm} id=${id} ${verdict}\n`);
      return { observed: true };
    },
    acknowledged() {},
    stop: () => ({ ended: Promise.resolve(), told: Promise.resolve() }),
    jobs: () => [],
    idle: () => Promise.resolve(),
    forgetOld() {},
  };
}
