// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote ping`: does dom0 answer? @module */

import { EXIT_FAILED, EXIT_OK, writeAll } from "../../../shared/cli/program.ts";
import { type Given, parseTimeout } from "./cli_words.ts";
import type { Layout } from "../files/layout.ts";
import { probeDom0 } from "../client/probe.ts";
import { print } from "./print.ts";

const PING_MS = 10_000;

const TROUBLESHOOTING = `qvm-remote-dom0 is NOT responding.

Look at these, in this order:
  1. Is the daemon running?       in dom0: systemctl status qvm-remote-dom0
  2. Does it serve this VM?       in dom0: qvm-remote-dom0 status
  3. Is it the same key?          here: qvm-remote key fingerprint; in dom0: qvm-remote-dom0 keys
  4. What does dom0 say about it? in dom0: /var/log/qubes/qvm-remote.log
`;

export async function ping(layout: Layout, given: Given): Promise<number> {
  const result = await probeDom0(layout, parseTimeout(given, PING_MS));
  if (result.kind === "silent") {
    print(given, { responding: false }, "");
    if (!given.has("json")) writeAll(Deno.stderr, TROUBLESHOOTING);
    return EXIT_FAILED;
  }
  const roundTripMs = Math.round(result.roundTripMs * 10) / 10;
  const messages = result.kind === "refusing" ? result.messages : [];
  print(
    given,
    { responding: true, ok: result.kind === "responding", round_trip_ms: roundTripMs, messages },
    `qvm-remote-dom0 is responding. (${roundTripMs} ms)\n`,
  );
  if (result.kind === "responding") return EXIT_OK;
  if (!given.has("json")) {
    writeAll(Deno.stderr, messages.map((message) => `qvm-remote: ${message}\n`).join(""));
  }
  return EXIT_FAILED;
}
