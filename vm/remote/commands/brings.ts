// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a command gets on its stdin in dom0: what is piped in here, if -i says so.
 *
 *     a file, or what ends soon and is small    all of it is signed before the command starts
 *     anything else, or with --live             passed on while the command runs
 *
 * An operation, and a request that nobody waits for, get a live stream only if --live asks for one.
 *
 * @module
 */

import { UsageError } from "../../../shared/cli/program.ts";
import type { Brings } from "../client/request_v2.ts";
import type { Layout } from "../files/layout.ts";
import { spoolPayload } from "../files/payload_file.ts";
import { createLiveInput } from "../live/live_input.ts";
import { peek } from "../live/peek.ts";
import type { Given } from "./cli_words.ts";

/** A person who decides is shown the hash and the first lines of it. */
const MAX_SMALL_BYTES = 8 * 1024 * 1024;
/** A program that only takes its time to begin is waited for; whoever wants no wait says --live. */
const SOON_MS = 5_000;

/** @returns null without -i */
export async function readBrings(
  layout: Layout,
  given: Given,
  mayStream: boolean,
): Promise<Brings | null> {
  const isLive = given.has("live");
  if (isLive && !given.has("stdin")) {
    throw new UsageError("--live says how -i passes stdin on, and -i is missing");
  }
  if (!given.has("stdin")) return null;
  if (isLive && given.has("detach")) {
    throw new UsageError("--live does not go with --detach", [
      "a live stream needs its client to the end; without --live, all of stdin is kept first",
    ]);
  }
  if (isLive) return createLiveInput(Deno.stdin);
  if (!mayStream || given.has("detach")) return await spoolPayload(layout, Deno.stdin);
  const { source, isAll } = await peek(Deno.stdin, MAX_SMALL_BYTES, SOON_MS);
  if (isAll || await isFile()) return await spoolPayload(layout, source);
  return createLiveInput(source);
}

/** Whether stdin is a file, and no pipe: Deno itself cannot tell. This takes a while to load. */
async function isFile(): Promise<boolean> {
  const { fstatSync } = await import("node:fs");
  return fstatSync(0).isFile();
}
