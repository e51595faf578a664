// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Output on its way to a model: the beginning and the end of what is long, with characters that
 * steer nothing. It is text that qubes and tools wrote, so it is named untrusted wherever it goes.
 *
 * @module
 */

import { readAt } from "../../shared/io/read_at.ts";
import { ifPresentSync } from "../../shared/io/sync_files.ts";
import { createVisibleText } from "../remote/client/visible_text.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";

/** What one answer holds of a stream: some 4,000 tokens. */
export const MAX_OUTPUT_BYTES = 16 * 1024;
/** Of it, for the end: where errors stand. */
const TAIL_BYTES = 4 * 1024;
/** What is said beside an answer: reasons; and what a tool said on standard error. */
const MAX_REASON_CHARS = 600;
const MAX_ERROR_CHARS = 4_000;
/** Of it, for the beginning: the end says what failed. */
const ERROR_HEAD_CHARS = 1_000;

export interface Excerpt {
  readonly text: string;
  /** Of the whole stream, in bytes as they came. */
  readonly totalBytes: number;
  /** Where reading goes on; null: all of it is here. */
  readonly nextOffset: number | null;
}

const NOTHING: Excerpt = { text: "", totalBytes: 0, nextOffset: null };

/** From the beginning: head and tail. From an offset: as much as fits from there. */
export function readExcerpt(path: string, offset: number): Excerpt {
  using file = ifPresentSync(() => Deno.openSync(path, { read: true }));
  if (file === undefined) return NOTHING;
  const totalBytes = file.statSync().size;
  if (offset >= totalBytes) return { ...NOTHING, totalBytes };
  const isWhole = totalBytes - offset <= MAX_OUTPUT_BYTES;
  const hasTail = offset === 0 && !isWhole;
  const head = bytesAt(file, offset, MAX_OUTPUT_BYTES - (hasTail ? TAIL_BYTES : 0));
  const kept = fitting(head, MAX_OUTPUT_BYTES - (hasTail ? TAIL_BYTES : 0));
  const next = offset + kept.bytes;
  if (next >= totalBytes) return { text: kept.text, totalBytes, nextOffset: null };
  if (!hasTail) return { text: kept.text, totalBytes, nextOffset: next };
  const tail = fittingEnd(bytesAt(file, totalBytes - TAIL_BYTES, TAIL_BYTES), TAIL_BYTES);
  const leftOut = totalBytes - next - tail.bytes;
  const text = `${kept.text}\n[... ${leftOut} bytes left out ...]\n${tail.text}`;
  return { text, totalBytes, nextOffset: next };
}

function bytesAt(file: Deno.FsFile, offset: number, most: number): Uint8Array {
  const buffer = new Uint8Array(most);
  return buffer.subarray(0, readAt(file, offset, buffer));
}

/** Made visible, text may be longer: of what steers, less is kept. */
function fitting(untrustedBytes: Uint8Array, maxChars: number): { text: string; bytes: number } {
  for (let bytes = untrustedBytes.length;; bytes >>= 1) {
    const text = visibleBytes(untrustedBytes.subarray(0, bytes));
    if (text.length <= maxChars || bytes <= 1) return { text, bytes };
  }
}

/** The same of the end of it. */
function fittingEnd(untrustedBytes: Uint8Array, maxChars: number): { text: string; bytes: number } {
  for (let bytes = untrustedBytes.length;; bytes >>= 1) {
    const text = visibleBytes(untrustedBytes.subarray(untrustedBytes.length - bytes));
    if (text.length <= maxChars || bytes <= 1) return { text, bytes };
  }
}

function visibleBytes(untrustedBytes: Uint8Array): string {
  const visible = createVisibleText();
  const decoder = new TextDecoder();
  return decoder.decode(visible.push(untrustedBytes)) + decoder.decode(visible.end());
}

export function visibleText(untrustedText: string): string {
  return visibleBytes(utf8(untrustedText));
}

/** Short, for what is said beside an answer. */
export function reasonText(untrustedText: string): string {
  return capped(visibleText(untrustedText.slice(0, 4 * MAX_REASON_CHARS)), MAX_REASON_CHARS);
}

/** The beginning and the end of what a tool wrote to standard error. */
export function readErrors(path: string): string {
  const text = readExcerpt(path, 0).text.trim();
  if (text.length <= MAX_ERROR_CHARS) return text;
  const tail = text.slice(text.length - (MAX_ERROR_CHARS - ERROR_HEAD_CHARS));
  return `${text.slice(0, ERROR_HEAD_CHARS)}\n[... left out ...]\n${tail}`;
}

function capped(text: string, maxChars: number): string {
  const trimmed = text.trim();
  return trimmed.length <= maxChars ? trimmed : `${trimmed.slice(0, maxChars)} ...`;
}

/** As it is, for a parser; null if it does not fit into one answer, or is no UTF-8. */
export function readWhole(path: string): string | null {
  using file = ifPresentSync(() => Deno.openSync(path, { read: true }));
  if (file === undefined) return null;
  const { size } = file.statSync();
  if (size === 0 || size > MAX_OUTPUT_BYTES) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytesAt(file, 0, size));
  } catch {
    return null;
  }
}

const MAX_DEPTH = 16;

/** The same for each text in a value. undefined: nothing of ours is as deep. */
export function visibleValue(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) return undefined;
  if (typeof value === "string") return visibleText(value);
  if (Array.isArray(value)) return value.map((part) => visibleValue(part, depth + 1) ?? null);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      visibleText(key),
      visibleValue(part, depth + 1) ?? null,
    ]),
  );
}
