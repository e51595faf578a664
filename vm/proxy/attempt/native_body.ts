// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The client's own body for an upstream of the same API: its bytes, unless it holds something that
 * this upstream rejects or that another provider made.
 *
 * @module
 */

import type { WireApi } from "./upstream_call.ts";
import type { MaxTokensField, Provider, Target } from "../config/config.ts";
import type { Exchange } from "../exchange.ts";
import type { Bytes } from "../bytes.ts";
import { askingForUsage } from "./hidden_usage.ts";
import { dialectOf } from "../translate/fit/dialect.ts";
import { fitBody } from "../translate/fit/fit.ts";
import type { Body } from "../translate/fit/fit_fields.ts";
import type { Made } from "../translate/provenance.ts";
import { type Kept, NOTHING_KEPT, withReferences } from "../translate/references.ts";
import { type Upload, uploadOfParts } from "../http/upload.ts";

export interface NativeBody {
  readonly upload: Upload;
  /** What was left out or changed, for the log: no content. */
  readonly changes: readonly string[];
}

/**
 * @param api of the provider
 * @param made who made the items of earlier turns
 * @param kept what the client may refer to
 */
export function nativeBody(
  { body: sent, asksUsage }: Pick<Exchange, "body" | "asksUsage">,
  { provider, model }: Target,
  api: WireApi,
  made: Made,
  kept: Kept = NOTHING_KEPT,
): NativeBody {
  const asked = sent.untrustedBody;
  const body = api === "responses" ? withReferences(asked, provider.name, kept) : asked;
  const changes = new Set<string>();
  const say = (change: string): void => void changes.add(change);
  const dropped = provider.drop.filter((name) => Object.hasOwn(body, name));
  for (const name of dropped) say(`${name} left out`);
  const rename = api === "chat" ? renamedLimit(body, provider) : null;
  const who = { provider: provider.name, model, dialect: dialectOf(provider) };
  const fitted = fitBody(api, body, { ...who, made, say });
  const usage = asksUsage && api === "chat" && !provider.drop.includes("stream_options")
    ? askingForUsage(body)
    : null;
  if (fitted === asked && dropped.length === 0 && rename === null) {
    const upload = withModel(sent, asked, model, usage);
    if (upload !== null) return { upload, changes: [] };
  }
  const changed: Record<string, unknown> = { ...fitted, model };
  if (usage !== null) changed["stream_options"] = usage;
  for (const name of dropped) delete changed[name];
  if (rename !== null) {
    changed[rename.to] ??= changed[rename.from];
    delete changed[rename.from];
  }
  return { upload: sent.upload(JSON.stringify(changed)), changes: [...changes] };
}

interface Rename {
  readonly from: MaxTokensField;
  readonly to: MaxTokensField;
}

/**
 * The limit of an answer under the name that the provider knows; null: it is so already. Under the
 * other one Ollama would apply its own limit, and others refuse it. The newer name is exchanged for
 * the older one only where the configuration says so: most servers know both.
 */
function renamedLimit(body: Body, provider: Provider): Rename | null {
  const to = provider.maxTokensField ?? dialectOf(provider).maxTokens;
  const from = to === "max_tokens" ? "max_completion_tokens" : "max_tokens";
  const isWanted = to === "max_tokens" || provider.maxTokensField !== null;
  return isWanted && Object.hasOwn(body, from) ? { from, to } : null;
}

/**
 * The client's bytes with another model in them; null: it has to be written anew.
 *
 * @param usage put behind the model, unless null
 */
function withModel(
  sent: Exchange["body"],
  asked: Body,
  model: string,
  usage: Body | null,
): Upload | null {
  if (usage === null && asked["model"] === model) return uploadOfParts([sent.untrustedBytes]);
  if (usage !== null && Object.hasOwn(asked, "stream_options")) return null;
  const text = sent.untrustedText;
  const place = placeOfModel(text);
  if (place === null) return null;
  const value = JSON.stringify(model) +
    (usage === null ? "" : `,"stream_options":${JSON.stringify(usage)}`);
  return sent.cutOuts > 0
    ? sent.upload(text.slice(0, place.from) + value + text.slice(place.to))
    : replaced(sent.untrustedBytes, text, place, value);
}

const encoder = new TextEncoder();

interface Place {
  readonly from: number;
  readonly to: number;
}

const KEY = '"model"';
/** Letters of "model" written as escapes, as they might be in a second key of that name. */
const ESCAPED = /\\u00(?:6[4-5c-df])/i;
const SPACES: ReadonlySet<string> = new Set([" ", "\t", "\n", "\r"]);

/**
 * Where the value of the object's "model" stands, its quotes included. Writing all of a long
 * prompt again only to change its model costs more than the rest of the way through the proxy.
 *
 * @param json that JSON.parse() has read: an object whose model is a text
 * @returns null if it is not the only place that could be meant: then whoever reads the result
 * might take another one. In a text the quotes of "model" are escaped; so where it stands only
 * once, and none of its letters could hide in an escape, that is the object's own key.
 */
export function placeOfModel(json: string): Place | null {
  const key = json.indexOf(KEY);
  if (key < 0 || json.indexOf(KEY, key + 1) >= 0 || ESCAPED.test(json)) return null;
  const colon = behindSpaces(json, key + KEY.length);
  const from = behindSpaces(json, colon + 1);
  return json[colon] === ":" && json[from] === '"' ? { from, to: endOfText(json, from) } : null;
}

function behindSpaces(json: string, at: number): number {
  while (SPACES.has(json[at] ?? "")) at++;
  return at;
}

/** @param from of its first quote. @returns behind its last */
function endOfText(json: string, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** The same bytes with another value in that place. */
function replaced(json: Bytes, text: string, { from, to }: Place, value: string): Upload {
  const isAscii = text.length === json.length; // else letters are more than a byte
  const before = isAscii ? from : encoder.encode(text.slice(0, from)).length;
  const old = isAscii ? to - from : encoder.encode(text.slice(from, to)).length;
  return uploadOfParts([json.subarray(0, before), value, json.subarray(before + old)]);
}
