// SPDX-License-Identifier: GPL-2.0-or-later
/** Whether the server is alive, the whole way, through its port: one that hangs is restarted by systemd. @module */

/** How long it has; then it is not alive. */
const ALIVE_MS = 5_000;

export async function answersItself(port: number, limitMs = ALIVE_MS): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/assets/icon.svg`, {
      headers: { "sec-fetch-site": "same-origin" },
      signal: AbortSignal.timeout(limitMs),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
