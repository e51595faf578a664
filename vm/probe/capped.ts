// SPDX-License-Identifier: GPL-2.0-or-later
/** Streams read to their end, but kept only up to a cap. @module */

export async function readCapped(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly bytes: Uint8Array; readonly isCut: boolean }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    if (length >= maxBytes) return joined(parts, length, true); // ends the stream, too
    const kept = part.subarray(0, maxBytes - length);
    parts.push(kept);
    length += kept.length;
  }
  return joined(parts, length, false);
}

function joined(parts: readonly Uint8Array[], length: number, isCut: boolean) {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, isCut };
}
