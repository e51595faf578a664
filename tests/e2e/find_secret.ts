// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Looks for a secret in all that a program of root's in a VM could read: every file of the VM, and
 * of each of its processes the command line, the environment, the open files and the memory. As
 * text, in hex and in base64.
 *
 * @module
 */

import { processesInside } from "../sim/processes.ts";
import type { World } from "../sim/world.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;

export interface SecretSearch {
  /** Where it is: "file PATH", "environ PID" and so on. */
  readonly found: readonly string[];
  readonly files: number;
  readonly processes: number;
  readonly memoryBytes: number;
}

/** Needs root: memory of other processes is looked into. */
export function findSecret(world: World, vm: string, secret: string): SecretSearch {
  const forms = formsOf(secret);
  const found: string[] = [];
  const bytewise = new TextDecoder("latin1");
  const look = (place: string, bytes: Uint8Array): void => {
    const text = bytewise.decode(bytes);
    if (forms.some((form) => text.includes(form))) found.push(place);
  };
  const seen = new Set<string>();
  const lookAtFile = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    ignoringGone(() => {
      if (Deno.lstatSync(path).isFile) look(`file ${path}`, Deno.readFileSync(path));
    });
  };
  const root = world.vmRoot(vm);
  walk(root, lookAtFile);
  const processes = processesInside(world.folder, vm, `${root}/sessions`);
  let memoryBytes = 0;
  for (const { pid } of processes) {
    for (const part of ["cmdline", "environ"]) {
      ignoringGone(() => look(`${part} ${pid}`, Deno.readFileSync(`/proc/${pid}/${part}`)));
    }
    ignoringGone(() => {
      for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
        ignoringGone(() => lookAtFile(Deno.readLinkSync(`/proc/${pid}/fd/${name}`)));
      }
    });
    for (const bytes of memoryOf(pid, Math.max(...forms.map((form) => form.length)))) {
      memoryBytes += bytes.length;
      look(`memory ${pid}`, bytes);
    }
  }
  return {
    ...{ found: [...new Set(found)], files: seen.size, processes: processes.length, memoryBytes },
  };
}

/** Every file below a folder; links are not followed: what they lead to is elsewhere. */
function walk(folder: string, each: (path: string) => void): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) ignoringGone(() => walk(`${folder}/${name}`, each));
    else each(`${folder}/${name}`);
  }
}

/** In base64 it looks otherwise at each of three places in the text. */
function formsOf(secret: string): readonly string[] {
  const hex = new TextEncoder().encode(secret).toHex();
  const base64 = [0, 1, 2].map((before) =>
    btoa(" ".repeat(before) + secret).slice(Math.ceil(before * 4 / 3), -4)
  );
  return [secret, hex, hex.toUpperCase(), ...base64];
}

/** What a process may write to and has in memory, in pieces that overlap. */
function* memoryOf(pid: number, overlap: number): Generator<Uint8Array> {
  const maps = readText(`/proc/${pid}/smaps`);
  if (maps === undefined) return;
  let memory: Deno.FsFile;
  try {
    memory = Deno.openSync(`/proc/${pid}/mem`);
  } catch {
    return; // it has ended
  }
  using file = memory;
  const regions = maps.matchAll(
    /^([0-9a-f]+)-([0-9a-f]+) rw.p [^\n]*\n(?:[^\n]*\n)*?Rss: +(\d+) kB/gm,
  );
  for (const [, from = "", to = "", rss = "0"] of regions) {
    if (rss === "0") continue;
    const end = parseInt(to, 16);
    for (let at = parseInt(from, 16); at < end; at += CHUNK_BYTES - overlap) {
      const bytes = new Uint8Array(Math.min(CHUNK_BYTES, end - at));
      try {
        file.seekSync(at, Deno.SeekMode.Start);
        yield bytes.subarray(0, file.readSync(bytes) ?? 0);
      } catch {
        break; // not to be read, or gone
      }
    }
  }
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined; // it has ended
  }
}

/** Files and processes go while they are looked at. */
function ignoringGone(run: () => void): void {
  try {
    run();
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound || /os error (3|6|22)\b/.test(`${error}`);
    if (!isGone) throw error;
  }
}
