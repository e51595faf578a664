// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The output of an operation, held until it has ended: for a VM that may not see every qube, or that
 * wants the result as JSON. It is parsed, and what the VM may not see is left out. Output that cannot be
 * parsed is not shown at all. Messages on stderr are shown with hidden names replaced.
 *
 * @module
 */

import { concat, utf8 } from "../../shared/protocol/bytes.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import { type JsonValue, type Result, ResultError } from "./operation.ts";
import type { View } from "./view.ts";

export interface FilteredOutput {
  /** Keeps the output: at most what a command may print. */
  push(stream: StreamNumber, bytes: Uint8Array): void;
  /** Call once, when the operation has ended; `isDone`: with 0. */
  end(isDone: boolean): ShownOutput;
}

export interface ShownOutput {
  readonly out: Uint8Array;
  readonly err: Uint8Array;
  /** There was output that does not have the form in the table: stderr says so. */
  readonly isUnreadable: boolean;
}

/** As the tool prints it, or as one JSON text. */
export type OutputForm = "text" | "json";

const NOTHING = new Uint8Array(0);
const UNREADABLE = "qvm-remote-dom0: its output does not have the expected form and is not shown\n";

/** @param view null: nothing is hidden */
export function createFilteredOutput(
  result: Result,
  view: View | null,
  form: OutputForm = "text",
): FilteredOutput {
  const kept: Record<StreamNumber, Uint8Array[]> = { 1: [], 2: [] };
  const textOf = (stream: StreamNumber): string => new TextDecoder().decode(concat(kept[stream]));
  return {
    push: (stream, bytes) => void kept[stream].push(bytes.slice()),
    end(isDone) {
      const text = textOf(1);
      const err = view?.maskMessage(textOf(2)) ?? textOf(2);
      // No output is a value only if the operation succeeded: then it is an empty list.
      const hasValue = form === "json" ? isDone : text !== "";
      if (!hasValue) return { out: NOTHING, err: utf8(err), isUnreadable: false };
      const value = parseOrNull(result, text);
      if (value === null) return { out: NOTHING, err: utf8(err + UNREADABLE), isUnreadable: true };
      const shown = view === null ? value.read : result.keepVisible(value.read, view);
      const out = form === "json" ? `${JSON.stringify(shown)}\n` : result.format(shown);
      return { out: utf8(out), err: utf8(err), isUnreadable: false };
    },
  };
}

function parseOrNull(result: Result, text: string): { readonly read: JsonValue } | null {
  try {
    return { read: result.parse(text) };
  } catch (error) {
    if (error instanceof ResultError) return null;
    throw error;
  }
}
