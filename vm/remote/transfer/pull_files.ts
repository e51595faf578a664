// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files and folders of dom0 into this VM. A file is read in ranges, each under dom0's MAC, into a file
 * beside its place; a transfer that broke goes on at its end. When all of it has the hash that dom0
 * gave, it is renamed to its place.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { UserError, writeAll } from "../../../shared/cli/program.ts";
import { hashRest, newSha256, sha256OfFile } from "../../../shared/io/sha256.ts";
import { ifPresentSync, isPresent, removeIfPresent } from "../../../shared/io/sync_files.ts";
import { parseDom0Path } from "../../../shared/protocol/dom0_path.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import type { CallDom0 } from "./call_dom0.ts";
import { type Dom0File, listInDom0, statInDom0 } from "./dom0_stat.ts";
import type { TransferReport } from "./transfer_report.ts";

/** Below what dom0 lets a command print by default. */
const RANGE_BYTES = 8 * 1024 * 1024;
/** So that both sides are at work all the time. */
const RANGES_AHEAD = 3;

export interface PullOptions {
  readonly dom0: CallDom0;
  readonly report: TransferReport;
  /** Files here are replaced. */
  readonly force: boolean;
}

/** @param target a folder if it is one or ends with "/", else the new name of the one path */
export async function pullFiles(
  paths: readonly string[],
  target: string,
  options: PullOptions,
): Promise<void> {
  const isFolder = target.endsWith("/") || isFolderAt(target);
  if (paths.length > 1 && !isFolder) {
    throw new UserError(`several files go into a folder, and there is none: ${target}`);
  }
  for (const path of paths) {
    const to = isFolder ? `${target.replace(/\/*$/, "")}/${basename(path)}` : target;
    await pull(path, to, options);
  }
}

function isFolderAt(path: string): boolean {
  return ifPresentSync(() => Deno.statSync(path))?.isDirectory ?? false;
}

async function pull(from: string, to: string, options: PullOptions): Promise<void> {
  await options.report.attempt({ from, to }, async () => {
    const file = await statInDom0(options.dom0, from, true);
    if (file.type === "file") return await pullFile(from, to, file, options);
    if (file.type === "folder") return await pullFolder(from, to, file, options);
    options.report.skip({ from, to }, "a link or a special file");
  });
}

async function pullFolder(
  from: string,
  to: string,
  { mode, mtime }: Dom0File,
  options: PullOptions,
): Promise<void> {
  if (!isPresent(to)) Deno.mkdirSync(to, { mode: 0o700 });
  else if (!Deno.lstatSync(to).isDirectory) throw new UserError(`there is something else: ${to}`);
  for (const { name, type } of await listInDom0(options.dom0, from)) {
    const [inside, here] = [`${from}/${name}`, `${to}/${name}`];
    if (type === "other" || !isSpeakable(inside)) {
      const what = "a link, a special file, or has a name that cannot be asked for";
      options.report.skip({ from: inside, to: here }, what);
    } else await pull(inside, here, options);
  }
  Deno.chmodSync(to, mode);
  Deno.utimeSync(to, mtime, mtime);
}

function isSpeakable(path: string): boolean {
  try {
    return parseDom0Path(path) === path;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

async function pullFile(
  from: string,
  to: string,
  file: Dom0File,
  { dom0, report, force }: PullOptions,
): Promise<void> {
  const { size, sha256 } = file;
  if (sha256 === null) throw new UserError("dom0 did not give its hash");
  report.expect(size);
  const there = ifPresentSync(() => Deno.lstatSync(to));
  if (there !== undefined && !there.isFile) throw new UserError(`there is something else: ${to}`);
  if (there !== undefined && there.size === size && await sha256OfFile(to) === sha256) {
    return report.add({ from, to, result: "unchanged", bytes: size, sha256, why: null });
  }
  if (there !== undefined && !force) throw new UserError(`there is something: ${to}`, ["--force"]);
  const part = `${dirname(to)}/.${basename(to)}.qvm-remote-part`;
  await fetchInto(part, from, file, sha256, { dom0, report });
  Deno.chmodSync(part, file.mode);
  Deno.utimeSync(part, file.mtime, file.mtime);
  if (force) Deno.renameSync(part, to);
  else {
    Deno.linkSync(part, to); // never over what has come there meanwhile
    Deno.removeSync(part);
  }
  report.add({ from, to, result: "copied", bytes: size, sha256, why: null });
}

/** All of it, checked and on the disk; or nothing is left that has another hash. */
async function fetchInto(
  part: string,
  from: string,
  { size }: Dom0File,
  sha256: string,
  { dom0, report }: Pick<PullOptions, "dom0" | "report">,
): Promise<void> {
  using file = openPart(part);
  let hash = newSha256();
  let here = 0;
  await hashRest(hash, file, (bytes) => here += bytes);
  if (here > size) {
    file.truncateSync(0);
    hash = newSha256();
    here = 0;
  }
  for await (const chunk of rangesOf(from, here, size, { dom0, report })) {
    writeAll(file, chunk);
    hash.update(chunk);
  }
  if (hash.digest("hex") !== sha256) {
    removeIfPresent(part);
    throw new UserError("it was changed while it was read: try again");
  }
  file.syncSync();
}

/** From there to the end, in order. Some are asked for ahead: dom0 starts each as a command. */
async function* rangesOf(
  from: string,
  offset: number,
  size: number,
  { dom0, report }: Pick<PullOptions, "dom0" | "report">,
): AsyncGenerator<Uint8Array> {
  let got = offset;
  const onBytes = (bytes: number): void => report.at(got += bytes);
  const ahead: Promise<readonly Uint8Array[]>[] = [];
  for (let next = offset; next < size || ahead.length > 0;) {
    while (next < size && ahead.length < RANGES_AHEAD) {
      const bytes = Math.min(RANGE_BYTES, size - next);
      const range = fetchRange(from, next, bytes, dom0, onBytes);
      range.catch(() => {}); // whoever takes it hears of it
      ahead.push(range);
      next += bytes;
    }
    yield* await ahead.shift() ?? [];
  }
}

async function fetchRange(
  path: string,
  offset: number,
  bytes: number,
  dom0: CallDom0,
  onBytes: (bytes: number) => void,
): Promise<readonly Uint8Array[]> {
  let chunks: Uint8Array[] = [];
  const pairs = [["path", path], ["offset", `${offset}`], ["bytes", `${bytes}`]] as const;
  const sizeOf = (): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  await dom0.run("file.read", pairs, {
    begin() {
      onBytes(-sizeOf()); // it begins anew
      chunks = [];
      return (chunk) => {
        chunks.push(chunk.slice());
        onBytes(chunk.length);
        return Promise.resolve();
      };
    },
  });
  if (sizeOf() !== bytes) throw new UserError("it became shorter while it was read");
  return chunks;
}

/** A part of an earlier transfer, or a new file; no link is followed. */
function openPart(path: string): Deno.FsFile {
  const options = { read: true, write: true, mode: 0o600 };
  try {
    return Deno.openSync(path, { ...options, createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const { isFile, nlink } = Deno.lstatSync(path);
  if (!isFile || nlink !== 1) throw new UserError(`there is something else: ${path}`);
  return Deno.openSync(path, options);
}
