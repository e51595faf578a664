// SPDX-License-Identifier: GPL-2.0-or-later
/** The client's own body for an upstream of the same API: its bytes, unless a field must change. @module */

import type { Target } from "./config.ts";
import type { Bytes, Exchange } from "./exchange.ts";

export function nativeBody(
  exchange: Pick<Exchange, "api" | "untrustedBody" | "untrustedBytes">,
  target: Target,
): string | Bytes {
  const { untrustedBody: body, untrustedBytes: bytes } = exchange;
  const { provider, model } = target;
  const dropped = provider.drop.filter((name) => Object.hasOwn(body, name));
  // Ollama would answer with a limit of its own choice.
  const renames = provider.kind === "ollama" && exchange.api === "chat" &&
    Object.hasOwn(body, "max_completion_tokens");
  if (dropped.length === 0 && !renames) {
    if (body["model"] === model) return bytes;
    const place = placeOfModel(bytes);
    if (place !== null) return replaced(bytes, place, model);
  }
  const changed: Record<string, unknown> = { ...body, model };
  for (const name of dropped) delete changed[name];
  if (renames) {
    changed["max_tokens"] ??= changed["max_completion_tokens"];
    delete changed["max_completion_tokens"];
  }
  return JSON.stringify(changed);
}

interface Place {
  readonly from: number;
  readonly to: number;
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const MODEL = new TextEncoder().encode('"model"');

/**
 * Where the value of the object's "model" stands, its quotes included. Writing all of a long
 * prompt again only to change its model costs more than the rest of the way through the proxy.
 *
 * @param json that JSON.parse() has read: an object whose model is a text
 * @returns null if there are two of them, or a key is written with escapes: then whoever reads the
 * result might take the other one
 */
export function placeOfModel(json: Bytes): Place | null {
  let found: Place | null = null;
  let depth = 0;
  let awaitsValue = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--;
    if (byte !== QUOTE) continue;
    const to = endOfText(json, at);
    if (depth === 1) {
      if (awaitsValue) found = { from: at, to };
      awaitsValue = false;
      if (isKey(json, to)) {
        if (json.subarray(at, to).includes(BACKSLASH)) return null;
        awaitsValue = isModel(json, at, to);
        if (awaitsValue && found !== null) return null;
      }
    }
    at = to - 1;
  }
  return found;
}

/** @param from of its first quote. @returns behind its last */
function endOfText(json: Bytes, from: number): number {
  for (let at = from + 1;;) {
    const end = json.indexOf(QUOTE, at);
    if (end < 0) return json.length; // not in what JSON.parse() has read
    let escapes = 0;
    while (json[end - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end + 1;
    at = end + 1;
  }
}

function isKey(json: Bytes, to: number): boolean {
  let at = to;
  while (SPACES.has(json[at] ?? 0)) at++;
  return json[at] === COLON;
}

function isModel(json: Bytes, from: number, to: number): boolean {
  return to - from === MODEL.length && MODEL.every((byte, at) => json[from + at] === byte);
}

function replaced(json: Bytes, { from, to }: Place, model: string): Bytes {
  const value = new TextEncoder().encode(JSON.stringify(model));
  const all = new Uint8Array(from + value.length + json.length - to);
  all.set(json.subarray(0, from));
  all.set(value, from);
  all.set(json.subarray(to), from + value.length);
  return all;
}
