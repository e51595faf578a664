// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Documents in requests: chat's "file", the responses API's "input_file", Anthropic's "document".
 *
 * @module
 */

import type { Conversation, DocumentPart, TextPart, Turn } from "./conversation.ts";
import { readDataUrl } from "./image.ts";
import { asString, field, given, type JsonNode, optional } from "./json_node.ts";
import { readCache } from "./text_parts.ts";

const PDF = "application/pdf";

type Source = DocumentPart["source"];

/** Replaces a document that the provider does not accept. */
export const documentNote = (name: string): string =>
  `[The document${name === "" ? "" : ` "${name}"`} was left out: this provider takes none. ` +
  "Ask for its text.]";

/** {"type":"file","file":{"file_data","filename"}}; undefined if it is kept elsewhere (file_id). */
export function readChatFile(part: JsonNode): DocumentPart | undefined {
  const file = field(part, "file");
  return readFile(file, optional(field(file, "file_data"), asString), undefined, part);
}

/** {"type":"input_file","file_data","file_url","filename"}; undefined if it is kept elsewhere. */
export function readInputFile(part: JsonNode): DocumentPart | undefined {
  const url = optional(field(part, "file_url"), asString);
  return readFile(part, optional(field(part, "file_data"), asString), url, part);
}

function readFile(
  file: JsonNode,
  data: string | undefined,
  url: string | undefined,
  part: JsonNode,
): DocumentPart | undefined {
  const name = optional(field(file, "filename"), asString) ?? "";
  const source = data !== undefined
    ? sourceOfData(data, name)
    : url !== undefined && /^https:\/\//i.test(url)
    ? { kind: "url" as const, url }
    : undefined;
  return source && { kind: "document", source, name, ...readCache(part) };
}

/** Clients send a data: URL, or only its base64. */
function sourceOfData(data: string, name: string): Source {
  const { mediaType, data: base64 } = readDataUrl(data) ??
    { mediaType: /\.(txt|md|csv|json)$/i.test(name) ? "text/plain" : PDF, data };
  return { kind: "base64", mediaType, data: base64 };
}

const IS_TEXT = /^text\/|^application\/(json|xml|yaml)$/;

/**
 * Decodes text documents, so that they can be sent as text.
 *
 * @param whole gives back what was cut out of a large body
 */
export function withTextDocuments(
  from: Conversation,
  whole: (text: string) => string,
): Conversation {
  if (!from.turns.some(({ parts }) => parts.some(isPackedText))) return from;
  const unpacked = <P extends { readonly kind: string }>(part: P): P | DocumentPart => {
    if (!isPackedText(part)) return part;
    return { ...part, source: { kind: "text", text: decoded(whole(part.source.data)) } };
  };
  const turns = from.turns.map((turn): Turn =>
    turn.role === "user" || turn.role === "tool"
      ? { ...turn, parts: turn.parts.map(unpacked) }
      : turn
  );
  return { ...from, turns };
}

/** Invalid base64 is taken as the text itself. */
function decoded(base64: string): string {
  try {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return base64;
  }
}

function isPackedText(part: { readonly kind: string }): part is DocumentPart & {
  readonly source: { readonly kind: "base64"; readonly mediaType: string; readonly data: string };
} {
  return isDocument(part) && part.source.kind === "base64" && IS_TEXT.test(part.source.mediaType);
}

const isDocument = (part: { readonly kind: string }): part is DocumentPart =>
  part.kind === "document";

/** {"type":"document","source","title"}; undefined if it is kept elsewhere (file_id). */
export function readDocumentBlock(block: JsonNode): DocumentPart | undefined {
  const source = readSource(field(block, "source"));
  const name = optional(field(block, "title"), asString) ?? "";
  return source && { kind: "document", source, name, ...readCache(block) };
}

function readSource(source: JsonNode): Source | undefined {
  const text = (key: string): string => asString(field(source, key));
  switch (text("type")) {
    case "base64":
      return { kind: "base64", mediaType: text("media_type"), data: text("data") };
    case "text":
      return { kind: "text", text: text("data") };
    case "url":
      return { kind: "url", url: text("url") };
    case "content":
      return readContent(field(source, "content"));
    default:
      return undefined;
  }
}

/** A document in parts: only its texts. */
function readContent(content: JsonNode): Source | undefined {
  if (typeof content.value === "string") return { kind: "text", text: content.value };
  if (!Array.isArray(content.value)) return undefined;
  const texts = content.value.flatMap((value: unknown) => {
    const text = field({ value, path: content.path }, "text");
    return typeof text.value === "string" ? [text.value] : [];
  });
  return { kind: "text", text: texts.join("\n") };
}

/** Delimited, so that the model sees where it begins and ends. */
const framed = (name: string, text: string): string =>
  `<document${name === "" ? "" : ` name=${JSON.stringify(name)}`}>\n${text}\n</document>`;

export function writeChatFile(part: DocumentPart): Record<string, unknown> {
  const { source, name } = part;
  if (source.kind === "text") return { type: "text", text: framed(name, source.text) };
  if (source.kind === "url") return { type: "text", text: `${documentNote(name)} ${source.url}` };
  const file_data = `data:${source.mediaType};base64,${source.data}`;
  return { type: "file", file: { filename: name === "" ? "document.pdf" : name, file_data } };
}

/** Anthropic accepts PDFs and plain text. */
export function writeDocumentBlock(part: DocumentPart): Record<string, unknown> {
  const { source, name } = part;
  if (source.kind === "base64" && source.mediaType !== PDF) {
    return { type: "text", text: documentNote(name) };
  }
  const cache = given("cache_control", part.cache);
  const title = given("title", name === "" ? undefined : name);
  switch (source.kind) {
    case "base64":
      return {
        type: "document",
        source: { type: "base64", media_type: source.mediaType, data: source.data },
        ...title,
        ...cache,
      };
    case "url":
      return { type: "document", source: { type: "url", url: source.url }, ...title, ...cache };
    case "text":
      return source.text.trim() === "" ? { type: "text", text: documentNote(name) } : {
        type: "document",
        source: { type: "text", media_type: "text/plain", data: source.text },
        ...title,
        ...cache,
      };
    default:
      return source satisfies never;
  }
}

/** As much of it as fits into text. */
export const documentText = ({ source, name }: DocumentPart): TextPart => ({
  kind: "text",
  text: source.kind === "text" ? framed(name, source.text) : documentNote(name),
});
