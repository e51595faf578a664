// SPDX-License-Identifier: GPL-2.0-or-later
/** Where "make rpm deb arch" put the packages. @module */

import { VERSION } from "../../shared/io/version.ts";

const FOUND = Deno.env.get("QUBES_CLAW_DIST");
if (FOUND === undefined) throw new Error('"make test-packages" says where the packages are');
export const DIST: string = FOUND;

/** Where a machine has that folder. */
export const DIST_INSIDE = "/opt/dist";

/** @param release 1 and 2 are there */
export function rpmFile(name: string, release: number): string {
  return `${name}-${VERSION}-${release}.x86_64.rpm`;
}

export function debFile(name: string, release: number): string {
  return `${name}_${VERSION}-${release}_amd64.deb`;
}

/** What a program said. @throws {Error} if it did not exit with 0 */
export async function good(program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code !== 0) throw new Error(`exit ${code}: ${program} ${args.join(" ")}\n${out}${err}`);
  return `${out}`;
}
