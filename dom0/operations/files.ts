// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files and folders of dom0, by their paths; a rule of the policy names the paths. What runs is dom0's
 * own: dom0/run/file_programs.ts.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { FILE_LIST, NAMED_VALUES, NOTHING, OWN_TEXT } from "./result.ts";

const path = required("dom0Path", "the file or folder, absolute, no part of it a link");
const mode = optional("fileMode", "its permissions, octal, such as 0644");
const mtime = optional("fileTime", "when it was changed, in seconds since 1970");

export const FILES: Readonly<Record<string, Definition>> = {
  "file.list": {
    summary: "List what is in a folder of dom0: type, size, permissions, time, name",
    level: "monitor",
    parameters: { path },
    run: "file-list {path}",
    result: FILE_LIST,
  },
  "file.stat": {
    summary: "Show type, size, permissions and time of a file of dom0, and its SHA-256 if asked",
    level: "monitor",
    parameters: { path, hash: optional("flag", "with the SHA-256 of a file") },
    run: "file-stat [--hash] {path}",
    result: NAMED_VALUES,
  },
  "file.read": {
    summary: "Give the bytes of a file of dom0, or a part of them",
    level: "monitor",
    parameters: {
      path,
      offset: optional("fileBytes", "the first byte that is wanted; by default 0"),
      bytes: optional("fileBytes", "how many at most; by default all"),
    },
    run: "file-read [--offset={offset}] [--bytes={bytes}] {path}",
    result: OWN_TEXT,
  },
  "file.write": {
    summary: "Make a file in dom0 of the data that comes with the request; none may be there",
    level: "manage",
    parameters: { path, mode, mtime },
    run: "file-write [--mode={mode}] [--mtime={mtime}] {path}",
    data: "must",
    result: NOTHING,
  },
  "file.replace": {
    summary: "Make a file in dom0 of the data that comes with the request, in place of one there",
    level: "manage",
    parameters: { path, mode, mtime },
    run: "file-replace [--mode={mode}] [--mtime={mtime}] {path}",
    data: "must",
    destructive: true,
    result: NOTHING,
  },
  "file.mkdir": {
    summary: "Make a folder in dom0, if there is none of that name",
    level: "manage",
    parameters: { path, mode },
    run: "file-mkdir [--mode={mode}] {path}",
    result: NOTHING,
  },
};
