// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A client of HTTP/1.1 on one kept connection, as small as can be: fetch() costs more than the
 * proxies that are measured with it, and does not say when the bytes of an event arrived.
 *
 * @module
 */

import { writeFully } from "../../shared/io/files.ts";

export interface Reply {
  readonly status: number;
  readonly bytes: number;
  /** From the request's first byte to the end of the head, the first piece of the body, the end. */
  readonly headMs: number;
  readonly firstMs: number;
  readonly wholeMs: number;
}

export interface Connection extends Disposable {
  /** @param onPiece called with each piece of the body as it arrives, and performance.now() */
  ask(request: Uint8Array, onPiece?: (piece: Uint8Array, atMs: number) => void): Promise<Reply>;
}

const LF = 10;
const text = new TextDecoder();

export async function openConnection(port: number): Promise<Connection> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay();
  const buffer = new Uint8Array(256 * 1024);
  let [from, to, filledMs] = [0, 0, 0];
  const fill = async (): Promise<void> => {
    if (from === to) from = to = 0;
    if (to === buffer.length) throw new Error("a line longer than the buffer");
    const got = await conn.read(buffer.subarray(to));
    if (got === null) throw new Error("the connection was closed");
    to += got;
    filledMs = performance.now();
  };
  const line = async (): Promise<string> => {
    for (;;) {
      const end = buffer.subarray(from, to).indexOf(LF);
      if (end >= 0) {
        const found = text.decode(buffer.subarray(from, from + end)).trimEnd();
        from += end + 1;
        return found;
      }
      await fill();
    }
  };
  /** Passes on that many bytes, as they come. */
  const bytes = async (
    count: number,
    onPiece: (piece: Uint8Array, atMs: number) => void,
  ): Promise<void> => {
    for (let left = count; left > 0;) {
      if (from === to) await fill();
      const piece = buffer.subarray(from, Math.min(to, from + left));
      from += piece.length;
      left -= piece.length;
      onPiece(piece, filledMs);
    }
  };
  const head = async (): Promise<{ status: number; length: number | null }> => {
    const status = Number((await line()).split(" ")[1]);
    let length: number | null = null;
    for (let header; (header = await line()) !== "";) {
      const [name, value] = header.split(": ", 2);
      if (name?.toLowerCase() === "content-length") length = Number(value);
    }
    return { status, length };
  };
  return {
    async ask(request, onPiece = () => {}) {
      const startedMs = performance.now();
      await writeFully(conn, request);
      const { status, length } = await head();
      const headMs = filledMs - startedMs;
      let [received, firstMs] = [0, NaN];
      const take = (piece: Uint8Array, atMs: number): void => {
        if (received === 0) firstMs = atMs - startedMs;
        received += piece.length;
        onPiece(piece, atMs);
      };
      if (length !== null) await bytes(length, take);
      else {
        for (let size; (size = parseInt(await line(), 16)) > 0;) {
          await bytes(size, take);
          await line();
        }
        await line();
      }
      return { status, bytes: received, headMs, firstMs, wholeMs: filledMs - startedMs };
    },
    [Symbol.dispose]: () => conn.close(),
  };
}

/** The bytes of a POST. */
export function post(
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Uint8Array {
  const bytes = new TextEncoder().encode(body);
  const lines = Object.entries({
    ...{ host: "127.0.0.1", "content-type": "application/json", ...headers },
    "content-length": String(bytes.length),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = new TextEncoder().encode(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const all = new Uint8Array(head.length + bytes.length);
  all.set(head);
  all.set(bytes, head.length);
  return all;
}
