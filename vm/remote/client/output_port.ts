// SPDX-License-Identifier: GPL-2.0-or-later
/** Where output goes: bytes as they are, or made safe for the terminal that shows them. @module */

import { writeFully } from "../../../shared/io/files.ts";
import type { Sink } from "./run_request.ts";
import { createVisibleText } from "./visible_text.ts";

export interface OutputPort {
  readonly sink: Sink;
  /** Writes what was held back. Call at the end. */
  finish(): Promise<void>;
}

type Stream = Pick<typeof Deno.stdout, "write" | "isTerminal">;

/** @param raw a terminal gets the bytes as they are, too */
export function outputPort(to: Stream, raw: boolean): OutputPort {
  if (raw || !to.isTerminal()) {
    return { sink: (bytes) => writeFully(to, bytes), finish: () => Promise.resolve() };
  }
  const visible = createVisibleText();
  return {
    sink: (bytes) => writeFully(to, visible.push(bytes)),
    finish: () => writeFully(to, visible.end()),
  };
}
