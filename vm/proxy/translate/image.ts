// SPDX-License-Identifier: GPL-2.0-or-later
/** Images in requests: data: URLs, https: URLs, and Anthropic's sources. @module */

import type { ImagePart } from "./conversation.ts";
import { asString, field, type JsonNode } from "./json_node.ts";

/** Accepted by Anthropic (Vision, "Supported image formats") and by OpenAI alike. */
const MEDIA_TYPES: ReadonlySet<string> = new Set([
  "image/gif",
  "image/jpeg",
  "image/png",
  "image/webp",
]);

type Source = ImagePart["source"];

const base64Source = (mediaType: string, data: string): Source | undefined =>
  MEDIA_TYPES.has(mediaType) ? { kind: "base64", mediaType, data } : undefined;

/** @returns undefined for anything but https:, and data: in base64 of a type that is taken */
export function readImageUrl(node: JsonNode): Source | undefined {
  const url = asString(node);
  if (/^https:\/\//i.test(url)) return { kind: "url", url };
  const { mediaType, data } = readDataUrl(url) ?? {};
  if (mediaType === undefined || data === undefined) return undefined;
  return base64Source(mediaType === "image/jpg" ? "image/jpeg" : mediaType, data);
}

/** "data:image/png;base64,…", its type in small letters. @returns undefined for any other text */
export function readDataUrl(
  url: string,
): { readonly mediaType: string; readonly data: string } | undefined {
  const [head] = /^data:[^,]{0,100},/i.exec(url) ?? [];
  const [, mediaType] = /^data:([a-z]+\/[a-z0-9.+-]+)(?:;[^;,]+)*;base64,$/i.exec(head ?? "") ?? [];
  if (head === undefined || mediaType === undefined) return undefined;
  return { mediaType: mediaType.toLowerCase(), data: url.slice(head.length) };
}

export const writeImageUrl = (source: ImagePart["source"]): string =>
  source.kind === "url" ? source.url : `data:${source.mediaType};base64,${source.data}`;

/** {"type":"base64","media_type","data"} or {"type":"url","url"}; undefined for any other. */
export function readImageSource(node: JsonNode): Source | undefined {
  switch (asString(field(node, "type"))) {
    case "base64":
      return base64Source(asString(field(node, "media_type")), asString(field(node, "data")));
    case "url":
      return readImageUrl(field(node, "url"));
    default: // "file": kept by the provider it was uploaded to
      return undefined;
  }
}

export const writeImageSource = (source: ImagePart["source"]): Record<string, unknown> =>
  source.kind === "url"
    ? { type: "url", url: source.url }
    : { type: "base64", media_type: source.mediaType, data: source.data };
