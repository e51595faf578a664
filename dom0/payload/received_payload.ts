// SPDX-License-Identifier: GPL-2.0-or-later
/** A payload that is all here and checked: where it lies, and what a person is shown of it. @module */

import type { Payload } from "../../shared/protocol/payload.ts";

/** Of the checked bytes. */
export interface PayloadLook extends Payload {
  /** In words. */
  readonly type: string;
  /** Its first lines; of data that is no text, none. Hostile: to be made visible where it is shown. */
  readonly head: readonly string[];
  /** Nothing comes after the head. */
  readonly isWhole: boolean;
}

export interface ReceivedPayload {
  /** A file that only dom0 can read. */
  readonly path: string;
  readonly look: PayloadLook;
}

const HEAD_BYTES = 2048;
const HEAD_LINES = 12;

export function receivedPayload(path: string, payload: Payload): ReceivedPayload {
  return { path, look: { ...payload, ...lookAt(readHead(path), payload.bytes) } };
}

function readHead(path: string): Uint8Array {
  using file = Deno.openSync(path, { read: true });
  const buffer = new Uint8Array(HEAD_BYTES);
  let length = 0;
  for (let got; length < HEAD_BYTES && (got = file.readSync(buffer.subarray(length))) !== null;) {
    length += got;
  }
  return buffer.subarray(0, length);
}

/** @param head its first bytes */
export function lookAt(
  head: Uint8Array,
  bytes: number,
): Pick<PayloadLook, "type" | "head" | "isWhole"> {
  if (bytes === 0) return { type: "nothing", head: [], isWhole: true };
  const text = textOf(head, bytes > head.length);
  if (text === null) return { type: binaryType(head), head: [], isWhole: false };
  const lines = text.replace(/\n$/, "").split("\n");
  return {
    type: text.startsWith("#!") ? "a script" : "text",
    head: lines.slice(0, HEAD_LINES),
    isWhole: bytes <= head.length && lines.length <= HEAD_LINES,
  };
}

/** null: it is no text. The last character may be cut. */
function textOf(head: Uint8Array, isCut: boolean): string | null {
  if (head.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(head, {
      stream: isCut,
    });
  } catch {
    return null;
  }
}

/** By the bytes that such files begin with. Source: magic(5). */
const MAGIC: readonly (readonly [type: string, at: number, ...bytes: number[]])[] = [
  ["a program (ELF)", 0, 0x7f, 0x45, 0x4c, 0x46],
  ["gzip data", 0, 0x1f, 0x8b],
  ["xz data", 0, 0xfd, 0x37, 0x7a, 0x58, 0x5a],
  ["zstd data", 0, 0x28, 0xb5, 0x2f, 0xfd],
  ["bzip2 data", 0, 0x42, 0x5a, 0x68],
  ["a zip archive", 0, 0x50, 0x4b, 0x03, 0x04],
  ["a tar archive", 257, 0x75, 0x73, 0x74, 0x61, 0x72],
  ["an RPM package", 0, 0xed, 0xab, 0xee, 0xdb],
  ["a PNG image", 0, 0x89, 0x50, 0x4e, 0x47],
  ["a JPEG image", 0, 0xff, 0xd8, 0xff],
  ["a PDF document", 0, 0x25, 0x50, 0x44, 0x46],
];

function binaryType(head: Uint8Array): string {
  const found = MAGIC.find(([, at, ...bytes]) => bytes.every((byte, i) => head[at + i] === byte));
  return found?.[0] ?? "data that is no text";
}
