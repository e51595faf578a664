// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a power cut would take, from the system calls of a program as strace(1) saw them. Contents
 * and names are on the disk after an fsync that began later than the change: of the file for what
 * is in it, of its folder for that it has this name or no longer has it. Nothing else counts.
 *
 * @module
 */

const CALLS = "openat,write,writev,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2," +
  "unlink,unlinkat,rmdir,symlink,symlinkat,link,linkat,mkdir,mkdirat,execve";

/** The words in front of a program that is to be traced; the program keeps its process id. */
export function straceWords(traceFile: string, ...more: readonly string[]): string[] {
  return [
    "strace",
    "-D",
    "-f",
    "-y",
    "-s",
    "512",
    "-o",
    traceFile,
    "-e",
    `trace=${CALLS}`,
    ...more,
  ];
}

interface Call {
  readonly name: string;
  /** As strace shows them, with the paths of file descriptors. */
  readonly args: string;
  /** Lines of the trace. */
  readonly began: number;
  readonly ended: number;
}

/** Calls that succeeded, in the order in which they ended; execve where it began. */
function callsOf(trace: string): readonly Call[] {
  const open = new Map<string, { readonly text: string; readonly began: number }>();
  const calls: Call[] = [];
  trace.split("\n").forEach((line, at) => {
    const [, pid = "", said = ""] = /^([0-9]+) +(.*)$/.exec(line) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(said);
    if (unfinished !== null) {
      open.set(pid, { text: unfinished[1] ?? "", began: at });
      return;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(said);
    const before = resumed === null ? undefined : open.get(pid);
    const whole = before === undefined ? said : before.text + (resumed?.[1] ?? "");
    const [, name = "", args = ""] = /^(\w+)\((.*)\) += (?!-1)/.exec(whole) ?? [];
    if (name !== "") calls.push({ name, args, began: before?.began ?? at, ended: at });
  });
  return calls;
}

export interface DiskTrace {
  /** Changes below this path that a power cut at that line would take. */
  unsynced(below: string, atLine: number): readonly string[];
  /** Changes below this path until that line. */
  changes(below: string, atLine: number): number;
  /** The line of the first call of that name whose arguments fit. @throws if there is none */
  lineOf(name: string, args: RegExp): number;
}

export function readDiskTrace(trace: string): DiskTrace {
  const calls = callsOf(trace);
  const changesUntil = (atLine: number): Change[] => {
    const changes: Change[] = [];
    for (const call of calls) if (call.ended <= atLine) apply(call, changes);
    return changes;
  };
  return {
    unsynced: (below, atLine) =>
      changesUntil(atLine).filter((change) => change.path.startsWith(below) && !change.synced)
        .map(({ what, path }) => `${what} ${path}`),
    changes: (below, atLine) =>
      changesUntil(atLine).filter(({ path }) => path.startsWith(below)).length,
    lineOf(name, args) {
      const call = calls.find((call) => call.name === name && args.test(call.args));
      if (call === undefined) throw new Error(`no ${name} with ${args}`);
      return call.began;
    },
  };
}

interface Change {
  readonly what: "content of" | "name" | "no name";
  path: string;
  readonly at: number;
  synced: boolean;
}

function apply({ name, args, began, ended }: Call, changes: Change[]): void {
  const quoted = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) => text);
  const [first = "", second = ""] = quoted;
  const ofDescriptor = /^[0-9]+<([^>]*)>/.exec(args)?.[1] ?? "";
  const changed = (what: Change["what"], path: string): void =>
    void changes.push({ what, path, at: ended, synced: false });
  switch (name) {
    case "openat":
      if (args.includes("O_EXCL")) changed("name", first);
      if (args.includes("O_TRUNC")) changed("content of", first);
      break;
    case "write":
    case "writev":
    case "pwrite64":
    case "ftruncate":
      changed("content of", ofDescriptor);
      break;
    case "fsync":
    case "fdatasync":
      for (const change of changes) {
        const owner = change.what === "content of" ? change.path : folderOf(change.path);
        if (owner === ofDescriptor && change.at < began) change.synced = true;
      }
      break;
    case "rename":
    case "renameat":
    case "renameat2":
      // What was written under the old name is what the new one has now.
      for (const change of changes) {
        if (change.path === first && change.what === "content of") change.path = second;
        else if (change.path === first) change.synced = true; // a name that never came to be
      }
      changed("name", second);
      break;
    case "unlink":
    case "unlinkat":
    case "rmdir":
      for (const change of changes) if (change.path === first) change.synced = true;
      changed("no name", first);
      break;
    case "symlink":
    case "symlinkat":
    case "link":
    case "linkat":
      changed("name", second);
      break;
    case "mkdir":
    case "mkdirat":
      changed("name", first);
      break;
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
