// SPDX-License-Identifier: GPL-2.0-or-later
/** Chooses the protocol, and finds the name that protocol 2 needs. @module */

import { spanMs } from "../../../shared/io/clock.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import { createBell } from "./bell.ts";
import type { Exchange } from "./exchange.ts";
import { watchFolders } from "../../../shared/io/folder_watch.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Layout } from "../files/layout.ts";
import { createRequestV1 } from "./request_v1.ts";
import { createRequestV2, type RequestWords } from "./request_v2.ts";
import { readVmName } from "../files/vm_name_file.ts";

export interface ExchangeRequest extends RequestWords {
  readonly layout: Layout;
  readonly key: AuthKey;
  /** How long dom0 may take to connect for the first time. */
  readonly connectMs: number;
  readonly protocol: 1 | 2;
  readonly interrupts: Interrupts;
}

/** The watch may miss the name file, but for no longer than this. */
const RECHECK_MS = 3_000;

/** @param onNameMissing called once if dom0 never connected, before waiting for that */
export async function createExchange(
  request: ExchangeRequest,
  onNameMissing: () => void,
): Promise<Exchange> {
  const { layout, key, command } = request;
  if (request.protocol === 1) {
    if (request.brings) throw new UsageError("--stdin does not go with --protocol 1");
    if (command.mode === "op" || command.mode === "plan") {
      throw new UsageError("--protocol 1 knows commands and scripts only");
    }
    return await createRequestV1(layout, key, command);
  }
  const vm = await readVmName(layout) ?? await awaitVmName(request, onNameMissing);
  return await createRequestV2(layout, key, vm, request);
}

async function awaitVmName(
  { layout, timeoutMs, connectMs, interrupts }: ExchangeRequest,
  onNameMissing: () => void,
): Promise<VmName> {
  const bell = createBell();
  const watch = watchFolders([layout.base], bell.ring);
  interrupts.listen(bell.ring);
  onNameMissing();
  try {
    const endMs = spanMs() + Math.min(timeoutMs, connectMs);
    for (;;) {
      const vm = await readVmName(layout);
      if (vm !== undefined) return vm;
      const leftMs = endMs - spanMs();
      if (interrupts.count() > 0) throw new InterruptedError();
      if (leftMs <= 0) throw new NeverConnectedError(timeoutMs <= connectMs);
      await bell.wait(Math.min(leftMs, RECHECK_MS));
    }
  } finally {
    watch.close();
  }
}

/** dom0 has not connected in time. */
export class NeverConnectedError extends UserError {
  override readonly exitCode: number;
  constructor(isTimeUp: boolean) {
    super(`${isTimeUp ? "timed out: " : ""}dom0 has never connected to this VM`, [
      'in dom0, run "qvm-remote-dom0 authorize VM" and "qvm-remote-dom0 status"',
    ]);
    this.exitCode = isTimeUp ? 124 : 255;
  }
}

/** Somebody pressed Ctrl-C before there was a request. */
class InterruptedError extends UserError {
  override readonly exitCode = 130;
  constructor() {
    super("interrupted; nothing was sent");
  }
}
