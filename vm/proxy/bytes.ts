// SPDX-License-Identifier: GPL-2.0-or-later
/** Bytes of bodies: all of them, or as they come. @module */

export type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes as they come. Less than a ReadableStream, each of which costs every chunk some hops. */
export interface ByteSource {
  /** null: there are no more. Throws if they broke off. Not called again before it has settled. */
  read(): Promise<Bytes | null>;
  cancel(): void;
}

export function isWhole(body: Bytes | ByteSource): body is Bytes {
  return body instanceof Uint8Array;
}
