// SPDX-License-Identifier: GPL-2.0-or-later
/** What is to run, between its acceptance and its turn: a large body waits on disk. @module */

import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { parseCommand, type ProcessCommand } from "../../shared/protocol/command.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";
import type { LiveInput } from "./live_stdin.ts";
import type { Sequence, SequenceStep } from "./sequence.ts";

/** A larger body waits on disk: each of a VM's open requests may be a MiB. */
const MAX_IN_MEMORY_BYTES = 4096;

export interface KeptWork {
  readonly timeoutMs: number;
  /** What its commands read on stdin, a file or a live stream; by default nothing. */
  readonly stdin?: string | LiveInput;
  take(): Sequence;
  /** It will not run. */
  drop(): void;
}

/** Steps that dom0 made itself: small, however large the request. */
export function keepSteps(
  request: Pick<AuthenticRequest, "timeoutMs">,
  steps: readonly SequenceStep[],
): KeptWork {
  return keepSequence(request, { steps });
}

export function keepSequence(
  { timeoutMs }: Pick<AuthenticRequest, "timeoutMs">,
  sequence: Sequence,
): KeptWork {
  return { timeoutMs, take: () => sequence, drop() {} };
}

/** A command line or script as it was sent. */
export function keepBody(
  folder: string,
  { vm, id, body, timeoutMs }: AuthenticRequest,
  command: ProcessCommand,
): KeptWork {
  if (body.length <= MAX_IN_MEMORY_BYTES) {
    return keepSteps({ timeoutMs }, [{ begin: () => command }]);
  }
  const path = `${folder}/${vm}-${id}.body`;
  Deno.writeFileSync(path, body, { mode: 0o600 });
  return onDisk(path, command.mode, timeoutMs);
}

/** A separate function, so that its closure does not keep the body alive. */
function onDisk(path: string, mode: ProcessCommand["mode"], timeoutMs: number): KeptWork {
  const drop = (): void => void removeIfPresent(path);
  const begin = (): ProcessCommand => {
    const command = parseCommand(mode, Deno.readFileSync(path));
    drop();
    return command;
  };
  return { timeoutMs, drop, take: () => ({ steps: [{ begin }] }) };
}
