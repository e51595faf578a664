// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files and folders of this VM into dom0. Each file is one request, which brings it: dom0 writes it
 * beside its place and renames it there when all of it is on the disk. What a broken transfer has sent
 * is not sent again, by its hash; what is there already with the same content is left alone.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { UserError } from "../../../shared/cli/program.ts";
import type { Layout } from "../files/layout.ts";
import { type Spooled, spoolPayload } from "../files/payload_file.ts";
import { type CallDom0, CallFailed, type Pairs } from "./call_dom0.ts";
import { statInDom0 } from "./dom0_stat.ts";
import type { TransferReport } from "./transfer_report.ts";

export interface PushOptions {
  readonly layout: Layout;
  readonly dom0: CallDom0;
  readonly report: TransferReport;
  /** Files in dom0 are replaced. */
  readonly force: boolean;
}

/** One thing to be made in dom0. */
interface Item {
  readonly from: string;
  readonly to: string;
  readonly info: Deno.FileInfo;
}

/** @param target a folder if it ends with "/", else the new name of the one local path */
export async function pushFiles(
  locals: readonly string[],
  target: string,
  options: PushOptions,
): Promise<void> {
  const isFolder = target.endsWith("/");
  if (locals.length > 1 && !isFolder) {
    throw new UserError(`several files go into a folder: end ${target} with "/"`);
  }
  const items: Item[] = [];
  for (const local of locals) {
    const from = local.replace(/(?<=.)\/+$/, "");
    const to = isFolder ? `${target}${basename(await Deno.realPath(from))}` : target;
    await collect(from, to, items, options.report);
  }
  for (const { info } of items) if (info.isFile) options.report.expect(info.size);
  for (const item of items) {
    await options.report.attempt(item, () => push(item, options));
  }
}

/** A folder before what is in it. No link is followed. */
async function collect(
  from: string,
  to: string,
  items: Item[],
  report: TransferReport,
): Promise<void> {
  const info = await Deno.lstat(from);
  if (!info.isFile && !info.isDirectory) {
    return report.skip({ from, to }, info.isSymlink ? "a link" : "a special file");
  }
  items.push({ from, to, info });
  if (!info.isDirectory) return;
  const names = await Array.fromAsync(Deno.readDir(from), ({ name }) => name);
  for (const name of names.sort()) await collect(`${from}/${name}`, `${to}/${name}`, items, report);
}

async function push(item: Item, options: PushOptions): Promise<void> {
  const { from, to, info } = item;
  const { layout, dom0, report, force } = options;
  const mode = ((info.mode ?? 0o644) & 0o777).toString(8).padStart(4, "0");
  if (info.isDirectory) return await dom0.run("file.mkdir", [["path", to], ["mode", mode]]);
  let sha256 = "";
  const brings = async (): Promise<Spooled> => {
    const spooled = await spoolFile(layout, from, info);
    sha256 = spooled.payload.sha256;
    return spooled;
  };
  const mtime = String(Math.max(0, Math.floor((info.mtime?.getTime() ?? 0) / 1000)));
  const pairs: Pairs = [["path", to], ["mode", mode], ["mtime", mtime]];
  const copied = { from, to, bytes: info.size, why: null };
  try {
    await dom0.run(force ? "file.replace" : "file.write", pairs, { brings, onSent: report.at });
    report.add({ ...copied, result: "copied", sha256 });
  } catch (error) {
    if (force || !(error instanceof CallFailed) || error.exitCode !== 1) throw error;
    if (!await isSame(dom0, to, sha256)) throw error;
    report.add({ ...copied, result: "unchanged", sha256 });
  }
}

/** It may have been sent by a transfer that was cut off. */
async function isSame(dom0: CallDom0, path: string, sha256: string): Promise<boolean> {
  try {
    return (await statInDom0(dom0, path, true)).sha256 === sha256;
  } catch (error) {
    if (error instanceof CallFailed) return false;
    throw error;
  }
}

/** The file that was looked at, and not what has come in its place. */
async function spoolFile(layout: Layout, path: string, seen: Deno.FileInfo): Promise<Spooled> {
  using file = await Deno.open(path, { read: true });
  const { dev, ino } = await file.stat();
  if (dev !== seen.dev || ino !== seen.ino) {
    throw new UserError("another file has come in its place");
  }
  return await spoolPayload(layout, file);
}
