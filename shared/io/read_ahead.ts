// SPDX-License-Identifier: GPL-2.0-or-later
/** Reading the next piece while the last one is worked on. @module */

/** A file, a pipe. */
export interface ByteSource {
  read(into: Uint8Array): Promise<number | null>;
}

/** Of a file: few calls, and other work waits no longer than a piece takes to hash. */
const PIECE_BYTES = 1024 * 1024;

/** To its end. A piece is valid until the next is taken. */
export async function* readAhead(source: ByteSource): AsyncGenerator<Uint8Array> {
  let [spare, filling] = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)];
  const begin = (): Promise<number | null> => {
    const reading = source.read(filling);
    reading.catch(() => {}); // whoever leaves early does not wait for it
    return reading;
  };
  let reading = begin();
  for (let got; (got = await reading) !== null;) {
    [spare, filling] = [filling, spare];
    reading = begin();
    yield spare.subarray(0, got);
  }
}
