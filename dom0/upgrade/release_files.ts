// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Brings what is to be installed, and what vouches for it, into a folder that only root can reach: from dom0
 * itself, or from a VM, which dom0 asks for each file by name and lets send no more than that file may be long.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { durableFolder } from "../../shared/io/durable.ts";
import { exists, ifPresent, writeFully } from "../../shared/io/files.ts";
import { PRIVATE_FILE } from "../../shared/io/private_modes.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";
import { UsageError, UserError } from "../../shared/cli/program.ts";

/** The largest package is Deno: 40 MB packed, 100 MB if it were not. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;
const MAX_SUMS_BYTES = 1024 * 1024;
export const SUMS = "SHA256SUMS";
export const SIGNATURE = `${SUMS}.asc`;

/** Where a release is: files of one folder, in dom0 or in a VM. */
export interface Source {
  /** null: dom0. */
  readonly vm: VmName | null;
  readonly folder: string;
  readonly names: readonly string[];
}

/** Of a name that goes to a shell in the VM, and into SHA256SUMS. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]*\.(rpm|tgz)$/;
const FOLDER = /^[A-Za-z0-9._+\/-]*$/;

/** "FILE..." or "VM:PATH...". @throws {UsageError} */
export function parseSource(words: readonly string[]): Source {
  const places = words.map((word): { readonly vm: VmName | null; readonly path: string } => {
    const [, vm, path] = /^([A-Za-z][A-Za-z0-9_.-]*):(.*)$/s.exec(word) ?? [];
    if (vm === undefined || path === undefined) return { vm: null, path: word };
    return { vm: vmOf(vm), path };
  });
  const [first] = places;
  if (first === undefined) throw new UsageError("what is to be installed? A package or an archive");
  const folder = dirname(first.path);
  const other = places.find(({ vm, path }) => vm !== first.vm || dirname(path) !== folder);
  if (other !== undefined) throw new UsageError("all files have to lie in one folder");
  if (first.vm !== null && !FOLDER.test(folder)) {
    throw new UsageError(`not the plain name of a folder: ${printable(folder)}`);
  }
  const names = places.map(({ path }) => basename(path));
  const bad = names.find((name) => !NAME.test(name));
  if (bad !== undefined) {
    throw new UsageError(`neither a package nor an archive, by its name: ${printable(bad)}`, [
      "a package ends in .rpm, and the archive that install-dom0 takes in .tgz",
    ]);
  }
  if (new Set(names).size < names.length) throw new UsageError("a file is given twice");
  return { vm: first.vm, folder, names };
}

function vmOf(word: string): VmName {
  try {
    return parseVmName(word);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`not the name of a qube: ${printable(word)}`);
  }
}

/**
 * Into an empty folder. SHA256SUMS and its signature come along if they are there.
 *
 * @throws {UserError} a file is missing or too large
 */
export async function bringRelease({ vm, folder, names }: Source, into: string): Promise<void> {
  if (await exists(into)) await Deno.remove(into, { recursive: true });
  await durableFolder(into);
  for (const name of [...names, SUMS, SIGNATURE]) {
    const isOptional = name === SUMS || name === SIGNATURE;
    const maxBytes = isOptional ? MAX_SUMS_BYTES : MAX_FILE_BYTES;
    const from = `${folder}/${name}`;
    const isThere = vm === null
      ? await copyCapped(from, `${into}/${name}`, maxBytes)
      : await pullCapped(vm, from, `${into}/${name}`, maxBytes);
    if (isThere) continue;
    await ifPresent(Deno.remove(`${into}/${name}`));
    if (!isOptional) throw new UserError(`there is no ${vm === null ? "" : `${vm}:`}${from}`);
  }
}

/** @returns false if there is none */
async function copyCapped(from: string, to: string, maxBytes: number): Promise<boolean> {
  const source = await ifPresent(Deno.open(from, { read: true }));
  if (source === undefined) return false;
  await writeCapped(source.readable, to, from, maxBytes);
  return true;
}

/** What the VM says on stderr stays there: nothing of it reaches this terminal. */
async function pullCapped(
  vm: VmName,
  from: string,
  to: string,
  maxBytes: number,
): Promise<boolean> {
  const child = new Deno.Command("qvm-run", {
    args: ["--pass-io", "--no-gui", "--no-autostart", "--", vm, `exec cat -- ${from}`],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    await writeCapped(child.stdout, to, `${vm}:${from}`, maxBytes);
  } catch (error) {
    child.kill("SIGKILL");
    await child.status;
    throw error;
  }
  return (await child.status).success;
}

async function writeCapped(
  untrustedBytes: ReadableStream<Uint8Array>,
  to: string,
  from: string,
  maxBytes: number,
): Promise<void> {
  using file = await Deno.open(to, { write: true, createNew: true, mode: PRIVATE_FILE });
  let bytes = 0;
  for await (const chunk of untrustedBytes) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new UserError(`${from} is larger than ${maxBytes} bytes`);
    await writeFully(file, chunk);
  }
  await file.sync();
}
