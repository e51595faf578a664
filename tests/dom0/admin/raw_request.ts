// SPDX-License-Identifier: GPL-2.0-or-later
/** Bytes to a port and back, for what no client would send. @module */

export interface RawAnswer {
  /** 0 if there was none. */
  readonly status: number;
  readonly text: string;
}

/** Sends it, and reads until the server closes. */
export async function rawRequest(port: number, bytes: string): Promise<RawAnswer> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await connection.write(new TextEncoder().encode(bytes));
  } catch (error) { // it was closed while we wrote: what it said before is read
    if (
      !(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)
    ) {
      throw error;
    }
  }
  const text = await readAll(connection);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}

async function readAll(connection: Deno.TcpConn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let got; (got = await connection.read(buffer)) !== null;) {
      text += new TextDecoder("latin1").decode(buffer.subarray(0, got));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return text;
}

/** One request with these header lines; the connection is closed after it. */
export function requestText(line: string, headers: readonly string[], body = ""): string {
  const length = body === "" ? [] : [`content-length: ${body.length}`];
  return [`${line} HTTP/1.1`, ...headers, ...length, "connection: close", "", body].join("\r\n");
}
