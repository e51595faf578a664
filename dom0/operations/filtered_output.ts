// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The output of an operation for a VM that may not see every qube: held until the operation has
 * ended, read as the value that it is, and printed again without what is hidden. What cannot be read
 * is not shown at all. Messages on stderr are shown with hidden names replaced.
 *
 * @module
 */

import { concat, utf8 } from "../../shared/protocol/bytes.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import { type JsonValue, type Result, ResultError } from "./operation.ts";
import type { View } from "./view.ts";

export interface FilteredOutput {
  /** Keeps it: at most what a command may print. */
  push(stream: StreamNumber, bytes: Uint8Array): void;
  /** What may be shown of it. Call once, when the operation has ended. */
  end(): { readonly out: Uint8Array; readonly err: Uint8Array };
}

export function createFilteredOutput(result: Result, view: View): FilteredOutput {
  const kept: Record<StreamNumber, Uint8Array[]> = { 1: [], 2: [] };
  return {
    push: (stream, bytes) => void kept[stream].push(bytes.slice()),
    end() {
      const text = new TextDecoder().decode(concat(kept[1]));
      const err = view.mask(new TextDecoder().decode(concat(kept[2])));
      if (text === "") return { out: new Uint8Array(0), err: utf8(err) };
      const value = parseOrNull(result, text);
      if (value === null) {
        const why =
          "qvm-remote-dom0: what it printed has not the expected shape, and is not shown\n";
        return { out: new Uint8Array(0), err: utf8(err + why) };
      }
      return { out: utf8(result.format(result.keepVisible(value.read, view))), err: utf8(err) };
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
