// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who made what only its maker can use: thinking signatures, encrypted reasoning, ids of items.
 * A conversation moves from provider to provider; each gets back what it made itself, and nothing
 * that another one made.
 *
 * What the proxy writes carries its maker's name (seal), which survives a restart. For what is passed
 * on unchanged, the proxy remembers the maker (Made); an unknown item is taken to belong to the
 * provider that is asked, which is always right where there is only one.
 *
 * @module
 */

import type { RedactedPart, SignedExtra, ThinkingPart } from "./conversation.ts";
import { isObject } from "../../settings/shape.ts";

const SEAL = "openclaw-proxy.1.";

export interface Sealed {
  /** The provider's name in the configuration. */
  readonly maker: string;
  readonly payload: string;
}

/** Letters, digits, '.', '-' and '_' only: it takes the place of base64. */
export function seal(maker: string, payload: string): string {
  const bytes = new TextEncoder().encode(JSON.stringify([maker, payload]));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return SEAL + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @returns undefined for what the proxy did not seal */
export function unseal(untrusted: string): Sealed | undefined {
  if (!untrusted.startsWith(SEAL)) return undefined;
  try {
    const base64 = untrusted.slice(SEAL.length).replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const [maker, payload]: unknown[] = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof maker === "string" && typeof payload === "string") return { maker, payload };
  } catch {
    // cut off, or made up
  }
  return { maker: "", payload: "" }; // nobody's
}

/** A provider's signature on a call, for client APIs that cannot carry it on the call itself. */
export const sealExtra = (callId: string, { maker, fields }: SignedExtra): string =>
  seal(maker, JSON.stringify({ call: callId, extra: fields }));

/** @returns undefined if it is none */
export function unsealExtra(
  untrusted: string,
): (SignedExtra & { readonly callId: string }) | undefined {
  const { maker, payload } = unseal(untrusted) ?? {};
  if (maker === undefined || payload === undefined) return undefined;
  try {
    const { call, extra }: Record<string, unknown> = JSON.parse(payload);
    if (typeof call === "string" && isObject(extra)) return { maker, callId: call, fields: extra };
  } catch {
    // sealed thinking
  }
  return undefined;
}

/** The provider that made this signature, encrypted text or id; undefined: not remembered. */
export type Made = (item: string) => string | undefined;

/** Nothing is remembered. */
export const NOTHING_MADE: Made = () => undefined;

/** Whether `provider` may get this item back: it made it, or no other provider is known to have. */
export function isOwn(item: string, provider: string, made: Made): boolean {
  if (item === "" || unseal(item) !== undefined) return false; // we wrote it; nobody signed it
  return (made(item) ?? provider) === provider;
}

/** The same for thinking parts read from the client's history. */
export function isOwnPart(
  part: ThinkingPart | RedactedPart,
  provider: string,
  made: Made,
): boolean {
  if (part.maker !== undefined) return part.maker === provider;
  return isOwn(part.kind === "thinking" ? part.signature : part.data, provider, made);
}

/** Ids of the proxy's own items, with the prefixes that OpenAI requires. */
export const ownItemId = (kind: ItemPrefix, response: string, index: number): string =>
  `${kind}_ocp_${response.replace(/^resp_(ocp_)?/, "")}_${index}`;

export type ItemPrefix = "msg" | "rs" | "fc" | "ctc" | "lsh";

const PREFIXES: ReadonlyMap<string, ItemPrefix> = new Map<string, ItemPrefix>([
  ["message", "msg"],
  ["reasoning", "rs"],
  ["function_call", "fc"],
  ["custom_tool_call", "ctc"],
  ["local_shell_call", "lsh"],
]);

/** Whether OpenAI may know an item of this type by this id. */
export function isItemId(type: string, id: string, provider: string, made: Made): boolean {
  const prefix = PREFIXES.get(type);
  if (prefix !== undefined && !id.startsWith(prefix)) return false;
  return !/^[a-z]+_ocp_/.test(id) && (made(id) ?? provider) === provider;
}
