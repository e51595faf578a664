// SPDX-License-Identifier: GPL-2.0-or-later
/** The client's own code without its process: for tests that need many requests, or their parts. @module */

import { utf8 } from "../../../shared/protocol/bytes.ts";
import { PLAIN_REQUEST } from "../../../shared/protocol/envelope.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import type { Exchange } from "../../../vm/remote/client/exchange.ts";
import type { Interrupts } from "../../../vm/remote/client/interrupts.ts";
import { createRequestV2 } from "../../../vm/remote/client/request_v2.ts";
import { type RequestEnd, runRequest } from "../../../vm/remote/client/run_request.ts";
import { type Vm, VM_NAME } from "./fixture.ts";

export const NO_INTERRUPTS: Interrupts = { count: () => 0, listen() {} };

export function scriptRequest(vm: Vm, script: string, timeoutMs = 30_000): Promise<Exchange> {
  const command = { mode: "script", script: utf8(script) } as const;
  const words = { command, ...PLAIN_REQUEST, timeoutMs, detachedForm: null };
  return createRequestV2(vm.layout, vm.key, parseVmName(VM_NAME), words);
}

export interface Ran {
  readonly end: RequestEnd;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runInProcess(vm: Vm, exchange: Exchange, waitMs = 30_000): Promise<Ran> {
  const text = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => {
    const decoder = new TextDecoder();
    return (bytes: Uint8Array) => {
      text[name] += decoder.decode(bytes, { stream: true });
      return Promise.resolve();
    };
  };
  const end = await runRequest(exchange, { answerMs: waitMs, connectMs: waitMs }, {
    layout: vm.layout,
    interrupts: NO_INTERRUPTS,
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    onPublished() {},
    onWaiting() {},
    onParked() {},
  });
  return { end, ...text };
}
