// SPDX-License-Identifier: GPL-2.0-or-later
/** How a program ends: errors for people, exit codes, one place to exit from. @module */

import { printable } from "../protocol/printable.ts";

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** sysexits.h EX_CONFIG: starting again would not help. */
export const EXIT_CONFIG = 78;
/** A bug of ours: sysexits.h calls 70 EX_SOFTWARE. */
export const EXIT_BUG = 70;

/** A failure that the person at the terminal can act on. */
export class UserError extends Error {
  override readonly name: string = "UserError";
  readonly exitCode: number = EXIT_FAILED;
  constructor(message: string, readonly hints: readonly string[] = []) {
    super(message);
  }
}

/** The words of the command line do not fit. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
  override readonly exitCode = EXIT_USAGE;
}

/** A configuration that is wrong: systemd need not start the program again. */
export class ConfigError extends UserError {
  override readonly name = "ConfigError";
  override readonly exitCode = EXIT_CONFIG;
}

/** Errors of the system that are no bug of ours, and what to do about them. */
const DISK_HINTS: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "a disk is full, or /run is: look at df, and make room"],
  ["EDQUOT", "a quota is used up: make room"],
  ["EROFS", "the disk is read-only: look at the kernel log"],
]);

/** "prog: error: …", then one "prog: hint: …" line for each hint. */
export function formatUserError(program: string, error: UserError): string {
  return [
    `${program}: error: ${error.message}`,
    ...error.hints.map((hint) => `${program}: hint: ${hint}`),
  ].join("\n") + "\n";
}

/** The one place that turns an exception into an exit code. */
export async function runProgram(
  program: string,
  main: () => Promise<number>,
  writeError: (text: string) => void = (text) => writeAll(Deno.stderr, text),
): Promise<number> {
  try {
    return await main();
  } catch (error) {
    if (error instanceof UserError) {
      writeError(formatUserError(program, error));
      return error.exitCode;
    }
    if (error instanceof Deno.errors.BrokenPipe) return 128 + 13; // as SIGPIPE would end it
    const hint = isOsError(error) ? DISK_HINTS.get(error.code) : undefined;
    if (isOsError(error) && hint !== undefined) {
      writeError(formatUserError(program, new UserError(printable(error.message, 200), [hint])));
      return EXIT_FAILED;
    }
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    writeError(`${program}: bug: ${printable(text, 2000)}\n`);
    return EXIT_BUG;
  }
}

/** Writes all of it, now. */
export function writeAll(
  to: { writeSync(bytes: Uint8Array): number },
  data: string | Uint8Array,
): void {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

/** Deno gives errors of the operating system the code of errno. */
export function isOsError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

/** What a thrown value says. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
