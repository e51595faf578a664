// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote push` and `qvm-remote pull`: files between this VM and dom0. @module */

import { UsageError } from "../../../shared/cli/program.ts";
import { parseDom0Path } from "../../../shared/protocol/dom0_path.ts";
import { operationsMs } from "../../../shared/protocol/operation_time.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { catchInterrupts } from "../client/interrupts.ts";
import { readKey } from "../files/key_file.ts";
import type { Layout } from "../files/layout.ts";
import { type CallDom0, CallFailed, createCaller } from "../transfer/call_dom0.ts";
import { pullFiles } from "../transfer/pull_files.ts";
import { pushFiles } from "../transfer/push_files.ts";
import { createReport, type TransferReport } from "../transfer/transfer_report.ts";
import { parseAsked } from "./asked.ts";
import type { Given } from "./cli_words.ts";

export async function push(layout: Layout, given: Given): Promise<number> {
  const locals = given.words.slice(0, -1);
  const target = given.words.at(-1) ?? "";
  checkPath(withoutEnd(target));
  return await transfer(layout, given, (dom0, report) => {
    const force = given.has("force");
    return pushFiles(locals, target, { layout, dom0, report, force });
  });
}

export async function pull(layout: Layout, given: Given): Promise<number> {
  const paths = given.words.slice(0, -1).map(withoutEnd);
  const target = given.words.at(-1) ?? "";
  paths.forEach(checkPath);
  return await transfer(layout, given, (dom0, report) => {
    return pullFiles(paths, target, { dom0, report, force: given.has("force") });
  });
}

async function transfer(
  layout: Layout,
  given: Given,
  work: (dom0: CallDom0, report: TransferReport) => Promise<void>,
): Promise<number> {
  const asked = parseAsked(given, [], operationsMs(["file.write"])); // of each file
  const key = await readKey(layout);
  const interrupts = catchInterrupts();
  const report = createReport(given);
  try {
    await work(createCaller({ layout, key, given, asked, interrupts }), report);
  } catch (error) { // it was reported with the file that it came at
    if (!(error instanceof CallFailed)) throw error;
  }
  return report.finish();
}

/** Without the "/" that says that it is a folder. */
const withoutEnd = (path: string): string => path.replace(/(?<=.)\/$/, "");

/** @throws {UsageError} no operation could take it */
function checkPath(path: string): void {
  try {
    parseDom0Path(path);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`not a path of dom0: ${printable(path)}`, [
      'it is absolute, without "..", "." or "//"',
    ]);
  }
}
