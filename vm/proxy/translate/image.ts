// SPDX-License-Identifier: GPL-2.0-or-later
/** Images in requests: data: URLs, https: URLs, and Anthropic's sources. @module */

import type { ImagePart } from "./conversation.ts";
import { asString, field, type JsonNode, refuseKind } from "./json_node.ts";
import { TranslationError } from "./translation_error.ts";

/** What Anthropic takes (Vision, "Supported image formats"); OpenAI takes the same four. */
const MEDIA_TYPES: ReadonlySet<string> = new Set([
  "image/gif",
  "image/jpeg",
  "image/png",
  "image/webp",
]);

const FIX = "send it as data:image/png;base64,... or as an https: URL";

function base64Source(mediaType: string, data: string, path: string): ImagePart["source"] {
  if (!MEDIA_TYPES.has(mediaType)) {
    throw new TranslationError(path, "is no image of a known type", "use png, jpeg, gif or webp");
  }
  return { kind: "base64", mediaType, data };
}

/** @throws {TranslationError} for anything but data: in base64 and https: */
export function readImageUrl(node: JsonNode): ImagePart["source"] {
  const url = asString(node);
  if (/^https:\/\//i.test(url)) return { kind: "url", url };
  const [head] = /^data:[^,]{0,100},/i.exec(url) ?? [];
  const [, mediaType] = /^data:([a-z]+\/[a-z0-9.+-]+)(?:;[^;,]+)*;base64,$/i.exec(head ?? "") ?? [];
  if (head === undefined || mediaType === undefined) {
    throw new TranslationError(node.path, "is neither an https: nor a base64 data: URL", FIX);
  }
  const type = mediaType.toLowerCase() === "image/jpg" ? "image/jpeg" : mediaType.toLowerCase();
  return base64Source(type, url.slice(head.length), node.path);
}

export const writeImageUrl = (source: ImagePart["source"]): string =>
  source.kind === "url" ? source.url : `data:${source.mediaType};base64,${source.data}`;

/** {"type":"base64","media_type","data"} or {"type":"url","url"}. */
export function readImageSource(node: JsonNode): ImagePart["source"] {
  const type = field(node, "type");
  switch (asString(type)) {
    case "base64":
      return base64Source(
        asString(field(node, "media_type")),
        asString(field(node, "data")),
        `${node.path}.media_type`,
      );
    case "url":
      return readImageUrl(field(node, "url"));
    default:
      return refuseKind(type, "an image source of type", '"base64" or "url"');
  }
}

export const writeImageSource = (source: ImagePart["source"]): Record<string, unknown> =>
  source.kind === "url"
    ? { type: "url", url: source.url }
    : { type: "base64", media_type: source.mediaType, data: source.data };
