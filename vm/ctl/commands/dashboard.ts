// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "openclaw-ctl dashboard": the one secret that is shown, an address, on standard
 * output only. It lets one browser in, once, for ten minutes, and does not hold the token.
 *
 * @module
 */

import { UserError } from "../../../shared/cli/program.ts";
import { runOpenclaw } from "../openclaw_program.ts";
import type { Outcome, Scene } from "../scene.ts";
import { isoTime, shownLines } from "../text.ts";

/** Exactly the form that the gateway produces: nothing else is printed as an address to open. */
const ADDRESS =
  /^http:\/\/(?:127\.0\.0\.1|localhost):\d{1,5}\/#bootstrapToken=[\w.~-]{8,512}(?:&[\w.~%=-]{1,200}){0,8}$/;

export async function dashboard(
  scene: Scene,
): Promise<Outcome & { readonly errorText: string }> {
  const { settings } = scene;
  if (settings.role !== "agent") {
    throw new UserError("the address is made in the agent VM, and this is not one", [
      "there: openclaw-ctl dashboard; then open what it prints in a browser here, or in dom0: " +
      `port ${settings.gatewayPort} of this VM leads there through the tunnel`,
      'if the browser then says "pairing required": openclaw-ctl pair, in the agent VM',
    ]);
  }
  const { code, untrustedOut, untrustedErr } = await runOpenclaw(scene, ["dashboard", "--json"]);
  const found = readDashboard(untrustedOut);
  if (code !== 0 || found === null) {
    throw new UserError("OpenClaw made no address", [
      ...(untrustedErr === "" ? [] : [`it said: ${shownLines(untrustedErr, 300).trim()}`]),
      '"openclaw-ctl health" says whether the gateway runs',
    ]);
  }
  const until = isoTime(found.expiresAtMs);
  return {
    ok: true,
    text: found.url + "\n",
    json: { url: found.url, expiresAt: until },
    errorText: `for one browser, once${until === null ? "" : `, until ${until}`}; ` +
      `in another VM the same address works while a tunnel has port ${settings.gatewayPort} there\n`,
  };
}

export function readDashboard(
  untrustedJson: string,
): { readonly url: string; readonly expiresAtMs: number | null } | null {
  let value: unknown;
  try {
    value = JSON.parse(untrustedJson);
  } catch {
    return null;
  }
  const { browserUrl, browserBootstrapExpiresAtMs: until } = (value ?? {}) as {
    readonly [name: string]: unknown;
  };
  if (typeof browserUrl !== "string" || !ADDRESS.test(browserUrl)) return null;
  return { url: browserUrl, expiresAtMs: Number.isSafeInteger(until) ? until as number : null };
}
