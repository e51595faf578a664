// SPDX-License-Identifier: GPL-2.0-or-later
/** What dom0 says of its files, parsed. @module */

import { UserError } from "../../../shared/cli/program.ts";
import type { CallDom0 } from "./call_dom0.ts";

export interface Dom0File {
  readonly type: "file" | "folder" | "other";
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Another one after each change of the file; null: this dom0 does not give it. */
  readonly version: string | null;
  /** Of a file, if it was asked for. */
  readonly sha256: string | null;
}

const TYPES: ReadonlyMap<unknown, Dom0File["type"]> = new Map([
  ["regular file", "file"],
  ["directory", "folder"],
]);

/** @throws {CallFailed} */
export async function statInDom0(
  dom0: CallDom0,
  path: string,
  hash: boolean,
): Promise<Dom0File> {
  const said = await dom0.value("file.stat", [["path", path], ["hash", String(hash)]]);
  const { type, size, mode, mtime, version, sha256 } = recordOf(said);
  return {
    type: TYPES.get(type) ?? "other",
    size: Number(size),
    mode: parseInt(String(mode), 8) & 0o777,
    mtime: Number(mtime),
    version: typeof version === "string" ? version : null,
    sha256: typeof sha256 === "string" ? sha256 : null,
  };
}

export interface ListedFile {
  readonly name: string;
  readonly type: Dom0File["type"];
}

/** @throws {CallFailed} */
export async function listInDom0(dom0: CallDom0, path: string): Promise<readonly ListedFile[]> {
  const said = await dom0.value("file.list", [["path", path]]);
  if (!Array.isArray(said)) throw unexpected();
  return said.map((one) => {
    const { name, type } = recordOf(one);
    const kind = type === "f" ? "file" : type === "d" ? "folder" : "other";
    return { name: String(name), type: kind };
  });
}

function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw unexpected();
  return { ...value };
}

function unexpected(): UserError {
  return new UserError("dom0 described its files in a form that is not known here");
}
