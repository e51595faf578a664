// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "open" brings a logged-in browser to the screen. The ticket is root's to make; the browser is the
 * user's. It gets the ticket in one of the user's own files, because every account of the machine can
 * read arguments.
 *
 * @module
 */

import { makePrivateFolder, writeAtomically } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { runTool } from "../../shared/io/run_tool.ts";
import { PORT } from "./run_admin.ts";
import { makeTicket } from "./server/tickets.ts";

const PROGRAM = "qubes-global-admin-web";
export const UNIT = `${PROGRAM}.service`;

/** Root's part: the server runs, and there is a ticket for it. @returns the ticket */
export async function makeRootsTicket(runFolder: string, startsUnit: boolean): Promise<string> {
  if (startsUnit) await run("systemctl", ["start", UNIT]);
  return await makeTicket(runFolder);
}

export function loginAddress(path: string, ticket: string): string {
  return `http://127.0.0.1:${PORT}${path}#ticket=${ticket}`;
}

/** @param userFolder XDG_RUNTIME_DIR @throws {UserError} */
export async function openBrowser(path: string, userFolder: string): Promise<void> {
  const ticket = (await run("sudo", ["-n", PROGRAM, "ticket"])).trim();
  if (!/^[0-9a-f]{64}$/.test(ticket)) throw new UserError(`"${PROGRAM} ticket" printed no ticket`);
  const folder = `${userFolder}/${PROGRAM}`;
  await makePrivateFolder(folder);
  const file = `${folder}/login.html`;
  await writeAtomically(file, loginPage(loginAddress(path, ticket)));
  await run("xdg-open", [file]);
}

/** @param address only what is safe in an attribute */
export function loginPage(address: string): string {
  return `<!doctype html>\n<title>Global Admin</title>\n` +
    `<meta http-equiv="refresh" content="0;url=${address}">\n`;
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool([program, ...args]);
  if (code === 0) return stdout;
  throw new UserError(`${program} ${args[0] ?? ""} ended with code ${code}: ${stderr.trim()}`, [
    `see "journalctl -u ${UNIT}"`,
  ]);
}
