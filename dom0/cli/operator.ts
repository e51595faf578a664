// SPDX-License-Identifier: GPL-2.0-or-later
/** What an operator's command needs: paths, the terminal, the audit. @module */

import { readLine } from "../../shared/cli/read_line.ts";
import { UserError, writeAll } from "../../shared/cli/program.ts";
import type { Acting } from "../operator/acting.ts";

export interface Operator extends Acting {
  /** False in tests and demos, where the folders are the user's own. */
  readonly needsRoot: boolean;
  readonly environment: ReadonlyMap<string, string>;
  /** Whether a person can be asked. */
  readonly isTerminal: boolean;
  readonly print: (text: string) => void;
  readonly warn: (text: string) => void;
  /** One line that the person types; null at the end of input. */
  readonly ask: (question: string) => string | null;
  /** One line that is not shown while it is typed, or the first line of stdin. */
  readonly askSecret: (question: string) => Promise<string>;
}

/** Only root may change something. */
export function requireRoot({ needsRoot }: Operator, what: string): void {
  if (needsRoot && Deno.uid() !== 0) {
    throw new UserError(`${what} must run as root`, ["put sudo in front of it"]);
  }
}

/** The terminal of this process. */
export function realTerminal(): Pick<
  Operator,
  "isTerminal" | "print" | "warn" | "ask" | "askSecret"
> {
  return {
    isTerminal: Deno.stdin.isTerminal(),
    print: (text) => writeAll(Deno.stdout, text),
    warn: (text) => writeAll(Deno.stderr, text),
    ask: (question) => {
      writeAll(Deno.stderr, question);
      return readLine();
    },
    askSecret(question) {
      if (!Deno.stdin.isTerminal()) return Promise.resolve(readLine() ?? "");
      writeAll(Deno.stderr, question);
      Deno.stdin.setRaw(true, { cbreak: true }); // Ctrl-C still works; nothing is echoed
      try {
        return Promise.resolve(readLine() ?? "");
      } finally {
        Deno.stdin.setRaw(false);
        writeAll(Deno.stderr, "\n");
      }
    },
  };
}
