// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files and folders of dom0 into this VM. A file is read in ranges into a file beside its place, which is
 * renamed when all of it is there; a transfer that broke goes on at its end. dom0's MAC covers each
 * range's hash, so each byte is hashed once on either side. That the ranges are of one and the same
 * file, dom0's version of it says, before and after; where something is here already, the hash of all
 * of it, which costs dom0 one reading more.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { UserError } from "../../../shared/cli/program.ts";
import { writeFully } from "../../../shared/io/files.ts";
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
    const file = await statInDom0(options.dom0, from, false);
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
  seen: Dom0File,
  { dom0, report, force }: PullOptions,
): Promise<void> {
  const there = ifPresentSync(() => Deno.lstatSync(to));
  if (there !== undefined && !there.isFile) throw new UserError(`there is something else: ${to}`);
  const part = `${dirname(to)}/.${basename(to)}.qvm-remote-part`;
  const isNew = there?.size !== seen.size && !isPresent(part) && seen.version !== null;
  const file = isNew ? seen : await statInDom0(dom0, from, true);
  const { size } = file;
  report.expect(size);
  if (there?.size === size && await sha256OfFile(to) === file.sha256) {
    const { sha256 } = file;
    return report.add({ from, to, result: "unchanged", bytes: size, sha256, why: null });
  }
  if (there !== undefined && !force) throw new UserError(`there is something: ${to}`, ["--force"]);
  const sha256 = await fetchInto(part, from, file, { dom0, report });
  Deno.chmodSync(part, file.mode);
  Deno.utimeSync(part, file.mtime, file.mtime);
  if (force) Deno.renameSync(part, to);
  else {
    Deno.linkSync(part, to); // never over what has come there meanwhile
    Deno.removeSync(part);
  }
  report.add({ from, to, result: "copied", bytes: size, sha256, why: null });
}

/**
 * All of it, checked and on the disk; or nothing is left of what is not one file of dom0's.
 *
 * @returns its hash, if it had to be known or is shown
 */
async function fetchInto(
  part: string,
  from: string,
  file: Dom0File,
  { dom0, report }: Pick<PullOptions, "dom0" | "report">,
): Promise<string | null> {
  const { size, version } = file;
  using to = openPart(part);
  let hash = newSha256();
  let here = 0;
  await hashRest(hash, to, (bytes) => here += bytes);
  if (here > size || file.sha256 === null) {
    to.truncateSync(0);
    hash = newSha256();
    here = 0;
  }
  const isHashed = file.sha256 !== null || report.showsHashes;
  for await (const range of rangesOf(from, here, size, { dom0, report })) {
    if (isHashed) hash.update(range);
    await writeFully(to, range);
    await to.syncData(); // while the next ones come
  }
  const sha256 = isHashed ? hash.digest("hex") : null;
  const isWhole = file.sha256 === null
    ? (await statInDom0(dom0, from, false)).version === version
    : file.sha256 === sha256;
  if (!isWhole) {
    removeIfPresent(part);
    throw new UserError("it was changed while it was read: try again");
  }
  await to.sync();
  return sha256;
}

/**
 * From there to the end, in order; each is valid until the next is taken. Some are asked for ahead: dom0
 * starts each as a command.
 */
async function* rangesOf(
  from: string,
  offset: number,
  size: number,
  { dom0, report }: Pick<PullOptions, "dom0" | "report">,
): AsyncGenerator<Uint8Array> {
  let got = offset;
  const onBytes = (bytes: number): void => report.at(got += bytes);
  const spare: Uint8Array[] = [];
  const ahead: Promise<Range>[] = [];
  let next = offset;
  const askAhead = (): void => {
    for (; next < size && ahead.length < RANGES_AHEAD; next += RANGE_BYTES) {
      const buffer = spare.pop() ?? new Uint8Array(Math.min(RANGE_BYTES, size));
      const bytes = buffer.subarray(0, size - next);
      const range = fetchRange(from, next, bytes, dom0, onBytes).then(() => ({ bytes, buffer }));
      range.catch(() => {}); // whoever takes it hears of it
      ahead.push(range);
    }
  };
  askAhead();
  for (let first; (first = ahead.shift()) !== undefined;) {
    const { bytes, buffer } = await first;
    askAhead(); // they come while this one is written
    yield bytes;
    spare.push(buffer);
  }
}

interface Range {
  readonly bytes: Uint8Array;
  /** What they lie in, for one that comes later. */
  readonly buffer: Uint8Array;
}

/** Fills it. */
async function fetchRange(
  path: string,
  offset: number,
  range: Uint8Array,
  dom0: CallDom0,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let length = 0;
  const pairs = [["path", path], ["offset", `${offset}`], ["bytes", `${range.length}`]] as const;
  await dom0.run("file.read", pairs, {
    begin() {
      onBytes(-length); // it begins anew
      length = 0;
      return (chunk) => {
        range.set(chunk, length);
        length += chunk.length;
        onBytes(chunk.length);
        return Promise.resolve();
      };
    },
  });
  if (length !== range.length) throw new UserError("it became shorter while it was read");
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
