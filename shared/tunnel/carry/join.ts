// SPDX-License-Identifier: GPL-2.0-or-later
/** Joins a TCP connection to a far end: both directions, each to its own end. @module */

import { writeFully } from "../../io/files.ts";
import type { RemoteEnd } from "./remote_end.ts";
import { TunnelFailure } from "../failure.ts";

/** An idle connection holds this much; one that fills it gets the larger buffer. */
const SMALL_BUFFER_BYTES = 4 * 1024;
const LARGE_BUFFER_BYTES = 256 * 1024;

/** Told of the bytes as they pass. */
export interface Traffic {
  up(bytes: number): void;
  down(bytes: number): void;
}

/** The part of a connection that is needed here. */
export type LocalEnd = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

/**
 * Resolves when both directions have ended properly.
 *
 * @throws {TunnelFailure} one side broke it; both are broken off then
 */
export async function join(
  local: LocalEnd,
  remote: RemoteEnd,
  traffic: Traffic,
): Promise<void> {
  let failure: unknown = null;
  const breakOff = (error: unknown): void => {
    failure ??= error;
    remote.abort();
    close(local);
  };
  const up = copyUp(local, remote, traffic).catch(breakOff);
  const down = copyDown(local, remote, traffic).catch(breakOff);
  await down;
  // A far side that is gone takes nothing more, though this side may have more to send.
  await Promise.race([up, remote.gone]);
  close(local);
  await up;
  if (failure !== null) throw failure;
}

async function copyUp(local: LocalEnd, remote: RemoteEnd, traffic: Traffic): Promise<void> {
  let buffer = new Uint8Array(SMALL_BUFFER_BYTES);
  let gone = false;
  remote.gone.then(() => gone = true);
  for (;;) {
    let got: number | null;
    try {
      got = await local.read(buffer);
    } catch (error) {
      if (gone) return;
      throw localFailure(error);
    }
    if (got === null) return remote.closeWrite();
    traffic.up(got);
    await remote.write(buffer.subarray(0, got));
    if (got === buffer.length && got < LARGE_BUFFER_BYTES) {
      buffer = new Uint8Array(LARGE_BUFFER_BYTES);
    } else if (got < SMALL_BUFFER_BYTES / 4 && buffer.length > SMALL_BUFFER_BYTES) {
      buffer = new Uint8Array(SMALL_BUFFER_BYTES);
    }
  }
}

async function copyDown(local: LocalEnd, remote: RemoteEnd, traffic: Traffic): Promise<void> {
  for (;;) {
    const bytes = await remote.read();
    if (bytes === null) break;
    try {
      await writeFully(local, bytes);
    } catch (error) {
      throw localFailure(error);
    }
    traffic.down(bytes.length);
  }
  try {
    await local.closeWrite();
  } catch {
    // it is closed already
  }
}

function localFailure(error: unknown): TunnelFailure {
  return new TunnelFailure("client-gone", error instanceof Error ? ` (${error.name})` : "");
}

export function close(end: Pick<Deno.Conn, "close">): void {
  try {
    end.close();
  } catch {
    // it is closed
  }
}
