// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The VM's own audit.log, for people: "[2026-02-18T14:30:22] SUBMIT id=… size=7B cmd=…".
 * One line is one write, so that lines of several programs do not mix.
 *
 * @module
 */

import { dateMs } from "../../../shared/io/clock.ts";
import { PRIVATE_FILE } from "../../../shared/io/private_modes.ts";
import type { Layout } from "./layout.ts";

/** The log is moved to audit.log.1 when it has grown past this: 50,000 lines or so. */
export const MAX_AUDIT_BYTES = 5 * 1024 * 1024;

/**
 * Adds one line. Foreign text in it must have passed printable(). If the log cannot be
 * written, the command still runs: the record that counts is dom0's.
 *
 * @returns false if the line could not be written
 */
export function audit({ audit: path }: Layout, line: string, now = new Date(dateMs())): boolean {
  try {
    using file = Deno.openSync(path, { append: true, create: true, mode: PRIVATE_FILE });
    file.writeSync(new TextEncoder().encode(`[${localTime(now)}] ${line}\n`));
    if (file.statSync().size > MAX_AUDIT_BYTES) rotate(path, file);
    return true;
  } catch {
    return false;
  }
}

function rotate(path: string, file: Deno.FsFile): void {
  file.lockSync(true); // of several programs that come here at once, the first one moves it
  if (Deno.statSync(path).ino === file.statSync().ino) Deno.renameSync(path, `${path}.1`);
}

/** Local time without a zone, as the original wrote it. */
export function localTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
