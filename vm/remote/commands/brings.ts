// SPDX-License-Identifier: GPL-2.0-or-later
/** What a command gets on its stdin in dom0: what is piped in here, if -i says so. @module */

import type { Layout } from "../files/layout.ts";
import { type Spooled, spoolPayload } from "../files/payload_file.ts";
import type { Given } from "./cli_words.ts";

/** @returns null without -i */
export async function readBrings(layout: Layout, given: Given): Promise<Spooled | null> {
  return given.has("stdin") ? await spoolPayload(layout, Deno.stdin) : null;
}
