// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether dom0 is connected, as clients see it: the service holds a lock on queue/.connected from
 * dom0's hello until the service ends, in whatever way. The file's text counts only when nobody holds
 * the lock: it is the reason that dom0 gave for leaving, if any.
 *
 * @module
 */

import { isLocked } from "../../../shared/io/file_lock.ts";
import { readSmallText } from "../../../shared/io/files.ts";
import type { Outcome } from "../../../shared/protocol/outcome.ts";
import type { Layout } from "./layout.ts";
import { attempt, attemptAsync } from "./local_failure.ts";
import { openPlain } from "./plain_file.ts";

/** Why dom0 will not be back soon, in its own words. */
export const FAREWELLS = ["revoked", "locked-down", "stopping"] as const;
export type Farewell = typeof FAREWELLS[number];

const MAX_WORD_BYTES = 20;

export interface ConnectedMark {
  /** dom0 has said hello. */
  connected(): void;
  /** Notes an outcome that says that dom0 is about to leave; another one says that it stays. */
  concluded(outcome: Outcome): void;
}

export function createConnectedMark(layout: Layout): ConnectedMark {
  let file: Deno.FsFile | undefined;
  let written: string | null = null;
  const write = (word: string): void => {
    if (file === undefined || word === written) return;
    const to = file;
    attempt(() => {
      to.truncateSync(0);
      to.seekSync(0, Deno.SeekMode.Start);
      to.writeSync(new TextEncoder().encode(word));
      written = word;
    });
  };
  return {
    connected() {
      attempt(() => {
        file = openPlain(layout, layout.connected);
        file.lockSync(true); // free: one service at a time gets so far
      });
      write("");
    },
    concluded: ({ kind, reason }) =>
      write(FAREWELLS.find((word) => word === kind || word === reason) ?? ""),
  };
}

export type Connection = { readonly kind: "connected" } | {
  readonly kind: "none";
  /** null: dom0 gave no reason, or was never connected. */
  readonly farewell: Farewell | null;
};

export async function readConnection({ connected }: Layout): Promise<Connection> {
  let locked: boolean | undefined;
  await attemptAsync(async () => locked = await isLocked(connected));
  if (locked === true) return { kind: "connected" };
  const word = await readSmallText(connected, MAX_WORD_BYTES).catch(() => "");
  return { kind: "none", farewell: FAREWELLS.find((known) => known === word) ?? null };
}
