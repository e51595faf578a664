// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The stdin of a command that reads a live stream: a pipe, fed as the stream comes. It ends only where the
 * stream does: while it goes on, a process beside the command, the keeper, has the pipe open, too, so that
 * not even the end of this daemon looks like an end. The keeper waits for a lock on a file that this
 * daemon holds, and lets go if it then finds the word "end" in it: see KEEPER in warden.ts.
 *
 * @module
 */

import { PRIVATE_FILE } from "../../shared/io/private_modes.ts";
import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";

/** A stream that is not what was signed. */
export class BadStream extends Error {
  override readonly name = "BadStream";
}

/** Where the bytes come from. */
export interface LiveInput {
  /** The command is there: bytes may come. */
  begin(): void;
  /** Waits for what comes next. @throws {BadStream} */
  next(): Promise<{ readonly data: Uint8Array; readonly isEnd: boolean }>;
  /** The command has so many more of them. */
  passed(bytes: number): void;
  passedBytes(): number;
  /** The command reads no more. */
  enough(): void;
  /** The command has ended. */
  close(): void;
}

export interface Feeding {
  /** The command has ended: lets go of everything. */
  end(): void;
}

/** The file that a keeper looks at. */
export interface KeptOpen {
  readonly path: string;
  /** The stream may have an end from now on. */
  letGo(): void;
}

export function keepOpen(path: string): KeptOpen {
  const file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE });
  file.lockSync(true); // nobody else knows it yet
  let isOpen = true;
  return {
    path,
    letGo() {
      if (!isOpen) return;
      isOpen = false;
      file.writeSync(utf8("end\n"));
      file.close(); // and with it the lock
      removeIfPresent(path);
    },
  };
}

/**
 * Passes a stream on until it ends, or the command closes its stdin.
 *
 * @param onBad called if the stream is not what was signed; its stdin stays open
 */
export function feedStdin(
  stdin: WritableStreamDefaultWriter<Uint8Array>,
  input: LiveInput,
  kept: KeptOpen,
  onBad: () => void,
): Feeding {
  const feed = async (): Promise<void> => {
    for (;;) {
      const { data, isEnd } = await input.next();
      if (data.length > 0) await stdin.write(data);
      input.passed(data.length);
      if (isEnd) break;
    }
    kept.letGo();
    await stdin.close();
  };
  input.begin();
  feed().catch((error) => {
    if (error instanceof Deno.errors.BrokenPipe) return input.enough();
    onBad();
  });
  return {
    end() {
      input.close();
      kept.letGo();
      stdin.abort().catch(() => {});
    },
  };
}
