// SPDX-License-Identifier: GPL-2.0-or-later
/** Keeps a file equal to what a program is doing, for its "status" command. @module */

import { ifPresent, putInPlace } from "./files.ts";
import { errorText } from "../cli/program.ts";

export interface StateWriter {
  changed(): void;
  /** Writes now; resolves when it is written. */
  write(): Promise<void>;
  /** Removes the file. */
  close(): Promise<void>;
}

export interface StateOptions {
  readonly path: string;
  readonly mode: number;
  /** Changes within this time are written together. */
  readonly delayMs: number;
  readonly getState: () => unknown;
  /** As JSON, if nothing else is said. */
  readonly toText?: (state: unknown) => string;
}

export function createStateWriter(options: StateOptions): StateWriter {
  const { path, delayMs } = options;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing = Promise.resolve();
  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    return writing = writing.then(() => writeState(options))
      .catch((error) => console.error(`state file: ${errorText(error)}`));
  };
  return {
    changed() {
      timer ??= setTimeout(write, delayMs);
    },
    write,
    async close() {
      clearTimeout(timer);
      await writing;
      await ifPresent(Deno.remove(path));
    },
  };
}

export async function writeState(
  { path, mode, getState, toText = JSON.stringify }: StateOptions,
): Promise<void> {
  await putInPlace(path, async (temporary) => {
    await Deno.writeTextFile(temporary, `${toText(getState())}\n`, { createNew: true, mode });
    await Deno.chmod(temporary, mode); // what the service's umask takes off
  });
}
