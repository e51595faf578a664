// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * In which form the state on the disk is: a small file beside it has a line "NAME VERSION" for each kind
 * of state. What has no line, or no such file, is in version 1. A program that finds a newer version, or a
 * kind that it does not know, leaves everything as it is and ends: it would misread what is there.
 *
 * @module
 */

import { ConfigError } from "../cli/program.ts";
import { printable } from "../protocol/printable.ts";
import { durableWrite } from "./durable.ts";
import { ifPresent, readSmallText } from "./files.ts";
import { VERSION } from "./version.ts";

const MAX_FORMATS_BYTES = 16 * 1024;
const LINE = /^([a-z][a-z-]{0,30}) ([1-9][0-9]{0,5})$/;

/** One kind of state. */
export interface StateFormat {
  readonly name: string;
  /** The one that this program writes, and the newest that it reads. */
  readonly version: number;
  /** Files and folders, the one that a person knows it by first. */
  readonly paths: readonly [string, ...string[]];
}

/** What a program that came before would say of it. @returns the error that names it, to be thrown */
export function newerFormat(path: string, found: number, known: number): ConfigError {
  return new ConfigError(
    `${path} is in version ${found}, and this program, ${VERSION}, knows version ${known}`,
    ["a newer program wrote it: install that one again; nothing was changed"],
  );
}

/** @throws {ConfigError} something there is newer than this program */
export async function refuseNewer(file: string, known: readonly StateFormat[]): Promise<void> {
  for (const [name, version] of await readFormats(file)) {
    const format = known.find((one) => one.name === name);
    if (format === undefined) {
      throw new ConfigError(
        `${file} names state of the kind "${name}", which this program, ${VERSION}, does not know`,
        ["a newer program wrote it: install that one again; nothing was changed"],
      );
    }
    if (version > format.version) throw newerFormat(format.paths[0], version, format.version);
  }
}

/** Notes the versions that this program writes; only if refuseNewer() had nothing to say. */
export async function noteFormats(file: string, known: readonly StateFormat[]): Promise<void> {
  const noted = await readFormats(file);
  if (known.every(({ name, version }) => noted.get(name) === version)) return;
  await durableWrite(file, formatsText(known));
}

export function formatsText(known: readonly StateFormat[]): string {
  return known.map(({ name, version }) => `${name} ${version}\n`).join("");
}

/** By name. @throws {ConfigError} a line is something else: then nothing is known */
export async function readFormats(file: string): Promise<ReadonlyMap<string, number>> {
  const text = await ifPresent(readSmallText(file, MAX_FORMATS_BYTES)) ?? "";
  return new Map(
    text.split("\n").filter((line) => line !== "").map((line): [string, number] => {
      const [, name, version] = LINE.exec(line) ?? [];
      if (name !== undefined) return [name, Number(version)];
      throw new ConfigError(`${file} has a line that is not understood: ${printable(line)}`, [
        'a line is "NAME VERSION"; take the file from a backup, or install the newest program',
      ]);
    }),
  );
}
