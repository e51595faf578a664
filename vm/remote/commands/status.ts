// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote status`: everything you want to know first when something does not work. @module */

import { exists } from "../../../shared/io/files.ts";
import { EXIT_FAILED, EXIT_OK } from "../../../shared/cli/program.ts";
import type { Given } from "./cli_words.ts";
import { readKey } from "../files/key_file.ts";
import { adoptLegacyFolder, type Layout } from "../files/layout.ts";
import { probeDom0, type ProbeResult } from "../client/probe.ts";
import { countQueue } from "../files/queue_list.ts";
import { readVmName } from "../files/vm_name_file.ts";
import { print } from "./print.ts";

const PROBE_MS = 5_000;

export async function status(layout: Layout, given: Given): Promise<number> {
  await adoptLegacyFolder(layout);
  const fingerprint = await exists(layout.key) ? (await readKey(layout)).fingerprint : null;
  const vm = await readVmName(layout) ?? null;
  const queue = await countQueue(layout); // before the probe adds one
  const probe: ProbeResult = fingerprint === null || vm === null
    ? { kind: "silent" }
    : await probeDom0(layout, PROBE_MS);
  const answers = probe.kind !== "silent";
  const roundTripMs = answers ? Math.round(probe.roundTripMs * 10) / 10 : null;
  const messages = probe.kind === "refusing" ? probe.messages : [];
  print(
    given,
    {
      data: layout.base,
      vm,
      fingerprint,
      queue,
      responding: answers,
      round_trip_ms: roundTripMs,
      messages,
    },
    `data     ${layout.base}\n` +
      `vm       ${vm ?? "not known: dom0 has never connected"}\n` +
      `key      ${fingerprint ?? "none: run qvm-remote key gen"}\n` +
      `queue    ${queue.pending} pending, ${queue.running} running, ${queue.results} results\n` +
      `dom0     ${answers ? `responding (${roundTripMs} ms)` : "NOT responding"}\n` +
      messages.map((message) => `         ${message}\n`).join(""),
  );
  return probe.kind === "responding" ? EXIT_OK : EXIT_FAILED;
}
