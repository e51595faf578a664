// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Closes our stdout for good, so that its reader sees the end of the stream
 * while we go on.
 *
 * Deno keeps file descriptor 1, and a duplicate of it, open whatever one
 * closes. So this asks libc, which no Deno API replaces; without a libc of a
 * known name the reader sees the end when the program ends.
 *
 * @module
 */

const LIBC_NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.so"];

/** Puts /dev/null in the place of every descriptor of our stdout. */
export function closeStdout(): void {
  const target = linkOf(1);
  const isPipe = target !== undefined && /^(pipe|socket):/.test(target);
  // Another standard stream on the same pipe keeps it open anyway.
  if (!isPipe || target === linkOf(0) || target === linkOf(2)) return;
  const dup2 = loadDup2();
  if (dup2 === undefined) return;
  using _null = Deno.openSync("/dev/null", { write: true });
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].map((entry) => Number(entry.name));
  const nullFd = descriptors.find((fd) => linkOf(fd) === "/dev/null");
  if (nullFd === undefined) return;
  for (const fd of descriptors) if (linkOf(fd) === target) dup2(nullFd, fd);
}

function linkOf(fd: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

function loadDup2(): ((from: number, to: number) => number) | undefined {
  for (const name of LIBC_NAMES) {
    try {
      const library = Deno.dlopen(name, { dup2: { parameters: ["i32", "i32"], result: "i32" } });
      return library.symbols.dup2;
    } catch {
      // not this one
    }
  }
  return undefined;
}
