// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How a person gets in: "qubes-global-admin-web open" puts the digest of a fresh secret into the
 * server's run folder, which is root's, and gives the secret to the browser. The server takes each
 * once, soon, or not at all.
 *
 * @module
 */

import { ifPresent, makePrivateFolder, writeAtomically } from "../../../shared/io/files.ts";
import { TICKET_MS, WRONG_TICKETS } from "./limits.ts";
import { randomSecret, secretDigest } from "./secret.ts";

const TICKET_FILE = /^ticket-[0-9a-f]{64}$/;
const MINUTE_MS = 60_000;

/** @returns the secret */
export async function makeTicket(runFolder: string): Promise<string> {
  await makePrivateFolder(runFolder);
  const secret = randomSecret();
  await writeAtomically(`${runFolder}/ticket-${secretDigest(secret)}`, "");
  return secret;
}

export interface TicketOffice {
  /** Whether the ticket is good; it is not from then on. */
  take(untrustedSecret: string): Promise<boolean>;
  /** So many were wrong that nobody is let in for a while. */
  isClosed(): boolean;
}

export function createTicketOffice(runFolder: string, dateMs: () => number): TicketOffice {
  let wrong: number[] = [];
  const isClosed = (): boolean => {
    wrong = wrong.filter((atMs) => dateMs() - atMs < MINUTE_MS);
    return wrong.length >= WRONG_TICKETS;
  };
  return {
    isClosed,
    async take(untrustedSecret) {
      const isGood = !isClosed() &&
        await takeFile(`${runFolder}/ticket-${secretDigest(untrustedSecret)}`, dateMs);
      if (!isGood) wrong.push(dateMs());
      return isGood;
    },
  };
}

/** What a killed browser left behind is gone when the next server starts. */
export async function removeOldTickets(runFolder: string): Promise<void> {
  for await (const { name } of Deno.readDir(runFolder)) {
    if (TICKET_FILE.test(name)) await ifPresent(Deno.remove(`${runFolder}/${name}`));
  }
}

async function takeFile(path: string, dateMs: () => number): Promise<boolean> {
  const info = await ifPresent(Deno.lstat(path));
  if (info === undefined) return false;
  // If two ask at once, only one of them removes it.
  const wasOurs = await ifPresent(Deno.remove(path).then(() => true)) ?? false;
  const ageMs = dateMs() - (info.mtime?.getTime() ?? 0);
  return wasOurs && info.isFile && ageMs >= -TICKET_MS && ageMs <= TICKET_MS;
}
