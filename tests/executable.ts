// SPDX-License-Identifier: GPL-2.0-or-later
/** Stand-ins for programs: files that a test writes and then starts. */

/**
 * Writes `text` to `path` as a program that everybody may start.
 *
 * A process of its own opens the file. Test files share one process: were the file open for writing
 * in it, a program that another test starts in that moment would hold it open too, and starting
 * ours would fail with "Text file busy".
 *
 * @throws Error with the shell's words, where the file cannot be written
 */
export function writeExecutable(path: string, text: string): void {
  const { success, stderr } = new Deno.Command("/bin/sh", {
    args: ["-c", 'printf %s "$1" >"$2" && exec chmod 755 "$2"', "sh", text, path],
    stdout: "null",
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
}
