// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl pair" and "approve": who waits to be let in, and which error means what. @module */

import { ifPresent, readPrivate } from "../../../shared/io/files.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { gatewayUrl } from "../../probe/probe.ts";
import type { Handshake } from "../gateway_socket.ts";
import { runOpenclaw } from "../openclaw_program.ts";
import {
  PAIRING_ADVICE,
  type PairingError,
  pairingErrorOf,
  type PendingDevice,
  readDevices,
  REQUEST_ID,
} from "../pairing.ts";
import { ANSWER_MS, type Outcome, type Scene, tokenPath } from "../scene.ts";
import { isoTime, shown, shownLines } from "../text.ts";

const MAX_TOKEN_BYTES = 4096;

/** @param words the error that a browser shows, if that is the question */
export async function pair(scene: Scene, words: readonly string[]): Promise<Outcome> {
  if (words.length > 0) return explain(words.join(" "));
  if (scene.settings.role !== "agent") {
    throw new UserError("only the agent VM knows who waits, and this is not one", [
      'there: openclaw-ctl pair; here: openclaw-ctl pair "what the browser says" explains it',
    ]);
  }
  const own = await ownHandshake(scene);
  if (own.kind === "failed") {
    throw new UserError(`the gateway does not answer: ${own.text}`, [
      '"openclaw-ctl health" and "openclaw-ctl logs gateway" say more',
    ]);
  }
  if (own.kind === "refused" && own.error === "token-mismatch") {
    return advised("token-mismatch", "the gateway refuses ~/.openclaw/gateway-token itself", [
      "it was changed after the gateway started: openclaw-ctl restart gateway",
      "or openclaw.json names another file: see gateway.auth.token and secrets.providers there",
    ]);
  }
  const { code, untrustedOut, untrustedErr } = await runOpenclaw(scene, [
    "devices",
    "list",
    "--json",
  ]);
  const devices = readDevices(untrustedOut);
  if (code !== 0 || devices === null) {
    throw new UserError(`OpenClaw gives no list of devices: ${said(untrustedErr, untrustedOut)}`);
  }
  return pendingOutcome(devices.pending, devices.paired);
}

function explain(untrustedText: string): Outcome {
  const error = pairingErrorOf(untrustedText);
  if (error !== null) {
    return advised(error, PAIRING_ADVICE[error].means, PAIRING_ADVICE[error].next);
  }
  return {
    ok: false,
    text: "not one of the pairing errors: pairing required, device identity required, token " +
      "mismatch\n",
    json: { error: null, means: null, next: [] },
  };
}

function advised(error: PairingError, means: string, next: readonly string[]): Outcome {
  const lines = [`${error.replaceAll("-", " ")}: ${means}`, ...next.map((one) => `  ${one}`)];
  return { ok: false, text: lines.join("\n") + "\n", json: { error, means, next } };
}

async function ownHandshake({ places, settings, shakeHands }: Scene): Promise<Handshake> {
  const text = await ifPresent(readPrivate(tokenPath(places), MAX_TOKEN_BYTES));
  return await shakeHands(gatewayUrl(settings), text?.trim() ?? null, ANSWER_MS);
}

function pendingOutcome(pending: readonly PendingDevice[], paired: number): Outcome {
  const requests = pending.map((one) => ({
    request: one.untrustedRequest,
    client: one.untrustedClient,
    platform: one.untrustedPlatform,
    scopes: one.untrustedScopes,
    at: isoTime(one.atMs),
  }));
  const lines = requests.flatMap(({ request, client, platform, scopes, at }) => [
    `waits: ${shown(client, 60)} on ${shown(platform, 40)}, since ${at ?? "?"}`,
    `  wants ${scopes.map((scope) => shown(scope, 60)).join(", ") || "nothing in particular"}`,
    REQUEST_ID.test(request)
      ? `  openclaw-ctl approve ${request}`
      : `  its number looks wrong; better reject it: ${printable(request)}`,
  ]);
  const head = requests.length === 0
    ? [`nobody waits; ${paired} paired`, "if a browser says otherwise, let it try again"]
    : [`pairing required: ${requests.length} wait, ${paired} paired. Approve only what you began`];
  return {
    ok: true,
    text: [...head, ...lines].join("\n") + "\n",
    json: { error: requests.length === 0 ? null : "pairing-required", pending: requests, paired },
  };
}

/** @throws {UsageError} what is no request's number */
export async function approve(scene: Scene, request: string): Promise<Outcome> {
  if (!REQUEST_ID.test(request)) {
    throw new UsageError(`not the number of a request: ${printable(request)}`, [
      '"openclaw-ctl pair" lists them',
    ]);
  }
  const { code, untrustedOut, untrustedErr } = await runOpenclaw(scene, [
    "devices",
    "approve",
    request,
    "--json",
  ]);
  if (code === 0) {
    return { ok: true, text: `approved: ${request}\n`, json: { request } };
  }
  throw new UserError(`not approved: ${said(untrustedErr, untrustedOut)}`, [
    'a request is replaced when its client tries again: "openclaw-ctl pair" lists what waits now',
  ]);
}

/** On success its output is not shown: it may contain a device's token. */
function said(untrustedErr: string, untrustedOut: string): string {
  const lines = (untrustedErr || untrustedOut).trim().split("\n");
  return shownLines(lines.slice(-3).join(" "), 300).trim();
}
