// SPDX-License-Identifier: GPL-2.0-or-later
/** A command between its acceptance and its turn: a large one waits on disk. @module */

import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { encodeCommand, parseCommand, type ProcessCommand } from "../../shared/protocol/command.ts";
import type { AuthenticRequest } from "../../shared/protocol/envelope.ts";

/** A larger command waits on disk: each of a VM's open requests may be a MiB. */
const MAX_IN_MEMORY_BYTES = 4096;

export interface KeptCommand {
  readonly timeoutMs: number;
  take(): ProcessCommand;
  /** It will not run. */
  drop(): void;
}

export function keepCommand(
  folder: string,
  { vm, id, body, timeoutMs }: AuthenticRequest,
  command: ProcessCommand,
): KeptCommand {
  if (body.length <= MAX_IN_MEMORY_BYTES) {
    return { timeoutMs, take: () => command, drop() {} };
  }
  const path = `${folder}/${vm}-${id}.body`;
  Deno.writeFileSync(path, encodeCommand(command), { mode: 0o600 }); // what was judged
  return onDisk(path, command.mode, timeoutMs);
}

/** A function of its own, so that nothing here holds on to the body. */
function onDisk(path: string, mode: ProcessCommand["mode"], timeoutMs: number): KeptCommand {
  const drop = (): void => void removeIfPresent(path);
  return {
    timeoutMs,
    drop,
    take() {
      const command = parseCommand(mode, Deno.readFileSync(path));
      drop();
      return command;
    },
  };
}
