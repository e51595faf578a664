// SPDX-License-Identifier: GPL-2.0-or-later
/** The errors of pairing that people meet as "1008", told apart, each with what to do. Pure. @module */

import { asText, asTexts } from "../probe/as_text.ts";

export type PairingError = "pairing-required" | "device-identity-required" | "token-mismatch";

export interface PairingAdvice {
  readonly means: string;
  readonly next: readonly string[];
}

export const PAIRING_ADVICE: Readonly<Record<PairingError, PairingAdvice>> = {
  "pairing-required": {
    means: "the token is right; the gateway has never seen this browser or device, and waits " +
      "for someone to let it in",
    next: [
      '"openclaw-ctl pair" in the agent VM lists what waits',
      '"openclaw-ctl approve REQUEST" lets one in',
      "a disposable VM's browser is a new device each time",
    ],
  },
  "device-identity-required": {
    means: "the client sent neither a token nor a device's key: the address without the part " +
      "after its #, or a browser that stores nothing",
    next: [
      '"openclaw-ctl dashboard" in the agent VM makes an address with what is missing',
      "open it in a browser that may keep data of the page",
    ],
  },
  "token-mismatch": {
    means: "the client sent a token, but not the one the gateway runs with",
    next: [
      'an old bookmark: "openclaw-ctl dashboard" in the agent VM makes a new address',
      '"openclaw-ctl pair" says whether ~/.openclaw/gateway-token itself is refused; ' +
      'then "openclaw-ctl restart gateway"',
    ],
  },
};

const SIGNS: readonly (readonly [PairingError, RegExp])[] = [
  ["token-mismatch", /token[ _-]*mismatch|unauthorized: gateway token/i],
  ["pairing-required", /pairing[ _-]*required|not approved yet/i],
  ["device-identity-required", /device[ _-]*identity[ _-]*required|token[ _-]missing/i],
];

/** Which of the three a text is about: an error code, or what a browser shows. */
export function pairingErrorOf(untrustedText: string): PairingError | null {
  return SIGNS.find(([, sign]) => sign.test(untrustedText))?.[0] ?? null;
}

export interface PendingDevice {
  readonly untrustedRequest: string;
  readonly untrustedClient: string;
  readonly untrustedPlatform: string;
  readonly untrustedScopes: readonly string[];
  readonly atMs: number | null;
}

/** What "openclaw devices list --json" prints. @returns null if it is something else */
export function readDevices(
  untrustedJson: string,
): { readonly pending: readonly PendingDevice[]; readonly paired: number } | null {
  let value: unknown;
  try {
    value = JSON.parse(untrustedJson);
  } catch {
    return null;
  }
  const { pending, paired } = (value ?? {}) as { pending?: unknown; paired?: unknown };
  if (!Array.isArray(pending) || !Array.isArray(paired)) return null;
  return { paired: paired.length, pending: pending.map(readPending) };
}

function readPending(one: unknown): PendingDevice {
  const item = (typeof one === "object" && one !== null ? one : {}) as Record<string, unknown>;
  const text = (name: string): string => asText(item[name]);
  const scopes = asTexts(item["scopes"]);
  return {
    untrustedRequest: text("requestId"),
    untrustedClient: text("clientId"),
    untrustedPlatform: text("platform"),
    untrustedScopes: scopes,
    atMs: typeof item["ts"] === "number" ? item["ts"] : null,
  };
}

/** A request's id, as the gateway makes them: it becomes a word of a command. */
export const REQUEST_ID = /^[A-Za-z0-9][\w.:-]{0,127}$/;
