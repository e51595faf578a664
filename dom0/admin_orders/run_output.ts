// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What runs for the operator, and what it prints, while it runs: a file that grows, for whoever
 * follows it, in /run/qvm-remote/runs. <id>.jsonl is one JSON value a line:
 *
 *     {"id":"…","by":"web s-3","operation":"vm.list","values":{},"begunMs":…}      first
 *     {"stream":1,"text":"…"}                                                      as it comes
 *     {"kind":"done","exitCode":0,"value":…,"endedMs":…}                           last
 *
 * A script is the value of "script". What an earlier daemon ran is removed: nothing would ever end it.
 *
 * @module
 */

import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import { errorText, writeAll } from "../../shared/cli/program.ts";
import { isPresent, removeIfPresent } from "../../shared/io/sync_files.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import type { JsonValue } from "../operations/operation.ts";

export interface RunHead {
  readonly id: string;
  readonly by: string;
  /** A name of the table, or "shell". */
  readonly operation: string;
  readonly values: Readonly<Record<string, string>>;
  readonly begunMs: number;
}

export interface RunPart {
  readonly stream: StreamNumber;
  readonly text: string;
}

export interface RunEnd {
  /** "done", or why it was ended. */
  readonly kind: string;
  readonly exitCode: number;
  /** The output as the table's value; null where it is none. */
  readonly value: JsonValue;
  readonly endedMs: number;
}

export interface RunWriter {
  print(stream: StreamNumber, bytes: Uint8Array): void;
  end(end: RunEnd): void;
}

export interface RunFiles {
  begin(head: RunHead): RunWriter;
}

/** A person looks at the last ones; what they printed may be large, and is in memory. */
const MOST_RUNS = 8;

export function createRunFiles(folder: string): RunFiles {
  if (isPresent(folder)) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const ended: string[] = [];
  return {
    begin(head) {
      const path = `${folder}/${head.id}.jsonl`;
      const file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE });
      const decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
      const put = (value: RunHead | RunPart | RunEnd): void => putLine(file, value);
      put(head);
      return {
        print(stream, bytes) {
          const text = decoders[stream].decode(bytes, { stream: true });
          if (text !== "") put({ stream, text });
        },
        end(end) {
          for (const stream of [1, 2] as const) {
            const text = decoders[stream].decode();
            if (text !== "") put({ stream, text });
          }
          put(end);
          file.close();
          ended.push(path);
          while (ended.length > MOST_RUNS) removeIfPresent(ended.shift() ?? "");
        },
      };
    },
  };
}

/** If the output cannot be shown, the command still goes on. */
function putLine(file: Deno.FsFile, value: RunHead | RunPart | RunEnd): void {
  try {
    writeAll(file, `${JSON.stringify(value)}\n`);
  } catch (error) {
    console.error(`runs: ${errorText(error)}`);
  }
}
