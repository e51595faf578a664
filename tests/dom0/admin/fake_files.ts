// SPDX-License-Identifier: GPL-2.0-or-later
/** Files of the dom0 in memory and of its qubes, as far as the page Files asks for them. @module */

import type { RunResult } from "../../../dom0/admin/channel/dom0_channel.ts";

export type FakeFile = {
  readonly type: string;
  readonly size: number;
  readonly mode: string;
  readonly mtime: number;
  readonly name: string;
};

export interface FakeFiles {
  /** Of dom0's files, by folder. */
  readonly folders: Map<string, FakeFile[]>;
  /** Of a qube's, by "work:~". */
  readonly qubeFolders: Map<string, FakeFile[]>;
}

export const SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

function entry(type: string, size: number, name: string): FakeFile {
  const mode = type === "d" ? "0700" : "0644";
  return { ...{ type, size, mode, mtime: 1_795_700_000, name } };
}

export function fakeFiles(): FakeFiles {
  return {
    folders: new Map([
      ["/home", [entry("d", 4096, "lost+found"), entry("d", 4096, "user")]],
      ["/home/user", [
        { ...entry("d", 4096, "Documents"), mtime: 1_795_000_000 },
        entry("f", 48_211, "release notes.txt"),
      ]],
      ["/home/user/Documents", []],
    ]),
    qubeFolders: new Map([
      ["work:~", [
        entry("d", 4096, "Downloads"),
        entry("d", 4096, "QubesIncoming"),
        entry("f", 1_048_576, "build.log"),
        entry("f", 20_971_520, "report.pdf"),
      ]],
      ["work:~/Downloads", [entry("f", 734_003_200, "image.iso")]],
      ["research:~", [entry("d", 4096, "papers")]],
    ]),
  };
}

type Values = Readonly<Record<string, string>>;

const ended = (stderr: string): RunResult => ({ exitCode: 1, stdout: "", stderr, value: null });

/** What the operations file.* do. null: it is no such operation */
export function runOnFiles(files: FakeFiles, operation: string, values: Values): RunResult | null {
  const { vm = "", path = "", folder = "", to_vm: toVm } = values;
  switch (operation) {
    case "file.list":
      return listed(
        files.folders.get(path),
        `no such folder, or a link leads there: ${path}`,
      );
    case "file.mkdir":
      files.folders.set(path, []);
      return listed([], "");
    case "file.browse":
      return listed(
        files.qubeFolders.get(`${vm}:${folder}`),
        `no such folder in ${vm}: ${folder}`,
      );
    case "file.fetch":
      return copied(path, "dom0");
    case "file.send":
    case "file.copy": {
      const name = (values["from"] ?? path).replace(/^.*\//, "");
      const from = operation === "file.send" ? "dom0" : vm;
      return copied(values["to"] ?? `~/QubesIncoming/${from}/${name}`, toVm ?? vm);
    }
    default:
      return null;
  }
}

function listed(found: FakeFile[] | undefined, why: string): RunResult {
  return found === undefined
    ? ended(`${why}\n`)
    : { exitCode: 0, stdout: "", stderr: "", value: found };
}

function copied(file: string, place: string): RunResult {
  const value = {
    ...{ file, in: place, bytes: "20971520" },
    ...{ sha256_of_source: SHA256, sha256_of_copy: SHA256, compared: "equal" },
  };
  const stdout = Object.entries(value).map(([name, word]) => `${name} ${word}\n`).join("");
  return { exitCode: 0, stdout, stderr: "progress 20971520 20971520 2\n", value };
}
