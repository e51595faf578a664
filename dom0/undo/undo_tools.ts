// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The tools of Qubes as an undo runs them: as every command is run, with the limits of the configuration,
 * in a process group that ends with it.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import { concat } from "../../shared/protocol/bytes.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { GroupChoice } from "../run/group_choice.ts";
import { readOperation } from "../run/read_operation.ts";
import { type RunOptions, startCommand } from "../run/runner.ts";
import type { Config } from "../settings/config.ts";
import type { UndoTools } from "./run_undo.ts";

export interface UndoToolsOptions extends Pick<RunOptions, "groups" | "wardens" | "workFolder"> {
  readonly config: () => Config;
  /** Begins the mark of each command, and of no other's. */
  readonly markPrefix: string;
}

const SAID_CHARS = 200;
/** As a shell says it. */
const EXIT_NOT_RUNNABLE = 126;

export function createUndoTools({ config, markPrefix, ...how }: UndoToolsOptions): UndoTools {
  let marks = 0;
  return {
    read: readOperation,
    async run([program = "", ...args], limitMs) {
      const { path, maxProcesses, maxMemoryBytes, maxOutputBytes } = config();
      const messages: Uint8Array[] = [];
      try {
        const { ended } = startCommand({
          ...how,
          command: { mode: "argv", argv: [program, ...args] },
          mark: `${markPrefix}${++marks}`,
          environment: {},
          path,
          limits: { timeoutMs: limitMs, maxProcesses, maxMemoryBytes, maxOutputBytes },
          onOutput(stream, bytes) {
            if (stream === 2) messages.push(bytes.slice());
          },
        });
        const { kind, exitCode } = await ended;
        const said = kind === "done" ? lastLine(concat(messages)) : `it was ended: ${kind}`;
        return { code: exitCode, said };
      } catch (error) { // a word too long for the kernel, no process to be had
        return { code: EXIT_NOT_RUNNABLE, said: printable(errorText(error), SAID_CHARS) };
      }
    },
  };
}

/** The daemon's: in cgroups, where its commands are. @param groups null: it runs nothing */
export function undoToolsOf(
  groups: Pick<GroupChoice, "groups" | "wardens" | "markPrefix"> | null,
  config: () => Config,
  { workFolder }: Pick<RunOptions, "workFolder">,
): UndoTools {
  if (groups === null) {
    const run = () => Promise.reject(new Error("bug: a dry run undoes something"));
    return { read: readOperation, run };
  }
  const markPrefix = `${groups.markPrefix}undo`;
  return createUndoTools({ ...groups, config, workFolder, markPrefix });
}

function lastLine(messages: Uint8Array): string {
  const line = new TextDecoder().decode(messages).trimEnd().split("\n").at(-1) ?? "";
  return line === "" ? "" : printable(line, SAID_CHARS);
}
