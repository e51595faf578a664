// SPDX-License-Identifier: GPL-2.0-or-later
/** Who has a port that is taken, if that can be found out. @module */

import { UserError } from "../../../shared/cli/program.ts";

const ASK_MS = 2000;
const MAX_ANSWER_CHARS = 4096;

/** @throws {UserError} that names the port, and who has it */
export async function onFreePort<T>(port: number, listen: () => T): Promise<T> {
  try {
    return listen();
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new UserError(`port ${port} on 127.0.0.1 is taken by ${await ownerOf(port)}`, [
      `see which program it is: ss -ltnp 'sport = :${port}'`,
      'stop it ("systemctl --user stop openclaw-proxy" if it is the proxy of a unit), or write another "port" into proxy.json',
    ]);
  }
}

async function ownerOf(port: number): Promise<string> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/health`, {
      signal: AbortSignal.timeout(ASK_MS),
    });
    const text = (await answer.text()).slice(0, MAX_ANSWER_CHARS);
    const version = /"proxy_version":"([\w.+-]{1,30})"/.exec(text)?.[1];
    return version === undefined
      ? "another program that speaks HTTP"
      : `another openclaw-proxy (${version})`;
  } catch {
    return "another program"; // it is no server of HTTP
  }
}
