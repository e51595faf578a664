// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote doctor`: one line for each thing that a request needs, with what to do. @module */

import { EXIT_FAILED, EXIT_OK } from "../../../shared/cli/program.ts";
import { visibleLine } from "../client/visible_text.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/finding.ts";
import { adoptLegacyFolder, type Layout } from "../files/layout.ts";
import type { Given } from "./cli_words.ts";
import { print } from "./print.ts";

const SERVICE = "/etc/qubes-rpc/qvmremote.Queue";

export async function doctor(layout: Layout, given: Given): Promise<number> {
  await adoptLegacyFolder(layout);
  const findings = await examine(layout, SERVICE);
  const isWell = findings.every(({ state }) => state !== "bad");
  print(given, { ok: isWell, findings }, findings.map(lineOf).join(""));
  return isWell ? EXIT_OK : EXIT_FAILED;
}

function lineOf({ subject, state, text, remedy }: Finding): string {
  const shown = state === "bad" ? "BAD" : state;
  const what = remedy === null ? text : `${text}; ${remedy}`;
  return `${subject.padEnd(8)} ${shown.padEnd(8)} ${visibleLine(what)}\n`;
}
