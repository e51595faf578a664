// SPDX-License-Identifier: GPL-2.0-or-later
/** A command between its acceptance and its turn: a large one waits on disk. @module */

import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { type Command, parseCommand } from "../../shared/protocol/command.ts";
import type { AuthenticRequest, Mode } from "../../shared/protocol/envelope.ts";

/** A larger command waits on disk: each of a VM's open requests may be a MiB. */
const MAX_IN_MEMORY_BYTES = 4096;

export interface KeptCommand {
  readonly timeoutMs: number;
  take(): Command;
  /** It will not run. */
  drop(): void;
}

export function keepCommand(
  folder: string,
  { vm, id, mode, body, timeoutMs }: AuthenticRequest,
  command: Command,
): KeptCommand {
  if (body.length <= MAX_IN_MEMORY_BYTES) {
    return { timeoutMs, take: () => command, drop() {} };
  }
  const path = `${folder}/${vm}-${id}.body`;
  Deno.writeFileSync(path, body, { mode: 0o600 });
  return onDisk(path, mode, timeoutMs);
}

/** A function of its own, so that nothing here holds on to the body. */
function onDisk(path: string, mode: Mode, timeoutMs: number): KeptCommand {
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
